"""What happened first is told by the record; a clock that somebody sets decides nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import anyio
import pytest

from orchestrate_tui.domain.pipeline import Environment, Stage
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.errors import Refused, RollbackRefused
from orchestrate_tui.store.accounts import current_user
from tests.executor.scenery import HOLD, ROLLBACK, Scene, after, asking, stage, undone
from tests.wall_clock import WallClock

pytestmark = pytest.mark.anyio

HOUR = 3600.0
UNDO = "echo $ORCHESTRATE_RUN_ID >>undone"


@pytest.fixture
def wall_clock(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(scene.folder / "clock", monkeypatch.setattr)


def deploys(undo: str = UNDO, **how: Any) -> Stage:
    return undone("deploy", undo=undo, environment="production", how=how)


async def test_a_run_that_deployed_later_by_an_earlier_clock_is_the_newer_one(
    scene: Scene, wall_clock: WallClock
) -> None:
    first = await scene.run(deploys())
    wall_clock.jump(-5 * HOUR)
    second = await scene.run(deploys())
    with pytest.raises(RollbackRefused, match=f"Run {second.id} has deployed"):
        await scene.executor.trigger_rollback(first.id, "deploy", reason="x")
    assert (await scene.executor.plan_rollback(second.id, "deploy")).newer == ""


async def test_what_deployed_by_an_earlier_clock_after_a_rollback_began_is_newer(
    scene: Scene, wall_clock: WallClock
) -> None:
    first = await scene.run(deploys(f"{HOLD}; {UNDO}", idempotent=True))
    other = scene.other("rollback", first.id, "deploy")
    await scene.ready.line()
    other.kill()
    scene.bury()
    wall_clock.jump(-5 * HOUR)
    newer = await scene.run(deploys())
    with pytest.raises(Refused, match=f"Run {newer.id} has deployed"):
        await scene.executor.resume_run(first.id)


async def test_after_a_reset_by_a_later_clock_a_breaker_trips_again(
    scene: Scene, wall_clock: WallClock
) -> None:
    once = (Environment(name="production", breaker=1),)
    failing = after("test", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy")
    await scene.run(deploys(), failing, environments=once)
    await scene.executor.rule(Ruling.RESET, 1, reason="x")
    wall_clock.jump(-5 * HOUR)
    await scene.run(deploys(), failing, environments=once)
    assert len(scene.history.breakers()) == 1


async def breaks_twice(scene: Scene, clock: WallClock, jump_s: float, meanwhile: str) -> int:
    """Two automatic rollbacks of a breaker of two, something being done to the first in between."""
    twice = (Environment(name="production", breaker=2),)
    failing = after("test", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy")
    await scene.run(deploys(), failing, environments=twice)
    with closing(sqlite3.connect(scene.executor.database.path)) as connection, connection:
        connection.execute(f"UPDATE rollback_events SET {meanwhile}")
    clock.jump(jump_s)
    await scene.run(deploys(), failing, environments=twice)
    return len(scene.history.breakers())


HOURS_AGO = f"boot_s = boot_s - {2 * HOUR}"
OTHER_START = "boot_id = 'another'"


@pytest.mark.parametrize(
    ("jump_s", "meanwhile", "trips"),
    [
        (5 * HOUR, "boot_s = boot_s", True),
        (-5 * HOUR, "boot_s = boot_s", True),
        (0, HOURS_AGO, False),
        (-5 * HOUR, HOURS_AGO, False),
        (5 * HOUR, OTHER_START, False),
        (0, OTHER_START, True),
        (0, "boot_id = '', boot_s = 0", True),
        (5 * HOUR, "boot_id = '', boot_s = 0", False),
    ],
)
async def test_a_breaker_counts_an_hour_by_the_clock_of_days_only_across_starts_of_the_system(
    scene: Scene, wall_clock: WallClock, *, jump_s: float, meanwhile: str, trips: bool
) -> None:
    assert await breaks_twice(scene, wall_clock, jump_s, meanwhile) == int(trips)


@pytest.mark.parametrize("jump_s", [30 * HOUR, -30 * HOUR])
async def test_an_approval_that_is_waited_for_again_expires_by_no_clock_that_was_set(
    scene: Scene, wall_clock: WallClock, jump_s: float
) -> None:
    asked = stage("deploy", approval=asking(current_user(), timeout_s=HOUR))
    other = scene.other_run(asked)
    await other.until(lambda: scene.exists(1) and scene.statuses(1)["deploy"] == "waiting_approval")
    other.kill()
    scene.bury()
    wall_clock.jump(jump_s)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.history.run(1).epoch == scene.executor.epoch)
        await scene.run(stage("meanwhile"))
        await scene.executor.approve(1, "deploy")
    assert scene.statuses(1) == {"deploy": "succeeded"}


async def test_stages_are_undone_in_the_reverse_order_of_their_starts(
    scene: Scene, wall_clock: WallClock
) -> None:
    late = HOLD.replace("$ORCHESTRATE_STAGE", "late")
    stages = (
        undone("root"),
        undone("early", "true", "root"),
        after("gap", "root", task=late),
        undone("late", "true", "root", "gap"),
    )
    end = after("end", "early", "late", task="exit 1", on_failure=ROLLBACK, rollback_to="root")
    async with scene.running(*stages, end):
        await scene.ready.line()
        wall_clock.jump(-5 * HOUR)
        scene.gate.open()
    assert scene.undone() == ["late", "early", "root"]
