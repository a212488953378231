"""What the console says of those who were told, and that others can be spared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrate_tui.console.run_picture import RunPicture
from orchestrate_tui.console.widgets.run_header import told
from orchestrate_tui.domain.notification import Delivery, DeliveryStatus, Notification
from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RunStatus

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def delivery(channel: str, status: DeliveryStatus, error: str = "") -> Delivery:
    return Delivery(id=1, notification_id=1, step=0, channel=channel, status=status, error=error)


def notification(*deliveries: Delivery, **details: Any) -> Notification:
    given: dict[str, Any] = {
        "id": 1,
        "run_id": 1,
        "occasion": Occasion.RUN_FAILED,
        "rule": 0,
        "created_at": NOON,
    }
    return Notification(deliveries=deliveries, **(given | details))


SENT = delivery("TEAM", DeliveryStatus.SENT)
AGAIN = delivery("BOSS", DeliveryStatus.PENDING, "no answer")


@pytest.mark.parametrize(
    ("notifications", "text"),
    [
        ((), ""),
        ((notification(SENT), notification(SENT)), "told TEAM"),
        ((notification(SENT, due_at=NOON),), f"more are told at {NOON.astimezone():%H:%M}"),
        ((notification(SENT, AGAIN),), "not told: BOSS"),
        ((notification(delivery("TEAM", DeliveryStatus.SENDING)),), ""),
    ],
)
def test_it_is_said_who_was_told_and_who_will_be(
    notifications: tuple[Notification, ...], text: str
) -> None:
    assert told(notifications).plain == text


@pytest.mark.parametrize(("ended_at", "can_be"), [(None, True), (NOON, False)])
def test_a_run_is_acknowledged_while_somebody_is_to_be_told(
    ended_at: datetime | None,
    can_be: bool,  # noqa: FBT001
) -> None:
    run = Run(
        id=1,
        pipeline="shop",
        status=RunStatus.SUCCEEDED,
        trigger=TriggerContext(),
        actor="alice",
        simulated=False,
        definition_hash="",
        created_at=NOON,
    )
    pipeline = Pipeline(name="shop", stages=())
    told_of = (notification(ended_at=ended_at),)
    assert RunPicture(run, pipeline, (), (), notifications=told_of).can_be_acknowledged is can_be
