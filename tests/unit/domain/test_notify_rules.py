from __future__ import annotations

import pytest

from orchestrate_tui.domain.notification import Delivery, DeliveryStatus
from orchestrate_tui.domain.notifying import EscalationStep, NotifyRule, Occasion, Repetition

ONCE = NotifyRule(to=("TEAM",))
ESCALATING = NotifyRule(
    to=("FIRST",),
    escalate=(
        EscalationStep(after_s=600, to=("SECOND",)),
        EscalationStep(after_s=1200, to=("FIRST", "BOSS")),
    ),
    repeat=Repetition(every_s=1800, times=2),
)


def waits(rule: NotifyRule) -> list[float]:
    found: list[float] = []
    while (wait_s := rule.wait_before(len(found))) is not None:
        found.append(wait_s)
    return found


def test_a_rule_tells_of_everything_unless_it_says_of_what() -> None:
    assert ONCE.on == tuple(Occasion)


def test_a_rule_without_an_escalation_has_one_step() -> None:
    assert waits(ONCE) == [0]
    assert ONCE.told_in(0) == ("TEAM",)


def test_an_escalation_waits_before_each_step() -> None:
    once = NotifyRule(to=ESCALATING.to, escalate=ESCALATING.escalate)
    assert waits(once) == [0, 600, 1200]


def test_a_repetition_begins_all_of_it_again() -> None:
    assert waits(ESCALATING) == [0, 600, 1200, 1800, 600, 1200, 1800, 600, 1200]
    assert [ESCALATING.told_in(step) for step in (0, 1, 2, 3)] == [
        ("FIRST",),
        ("SECOND",),
        ("FIRST", "BOSS"),
        ("FIRST",),
    ]


def test_one_channel_is_told_again_by_a_repetition_alone() -> None:
    assert waits(NotifyRule(to=("TEAM",), repeat=Repetition(every_s=5, times=2))) == [0, 5, 5]


def test_every_channel_is_named_once() -> None:
    assert ESCALATING.channels == ("FIRST", "SECOND", "BOSS")


@pytest.mark.parametrize("status", DeliveryStatus)
def test_a_delivery_is_sent_only_once_the_channel_has_taken_it(status: DeliveryStatus) -> None:
    found = Delivery(id=1, notification_id=1, step=0, channel="TEAM", status=status)
    assert found.is_sent is (status is DeliveryStatus.SENT)
