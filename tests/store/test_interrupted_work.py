"""What becomes of the work of an executor that died, and how it is shown before that is written."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus, StepStatus
from orchestrate_tui.errors import StaleTransition
from orchestrate_tui.store import (
    get_rollback_event,
    insert_rollback_event,
    open_database,
    rollback_steps,
)
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.fencing import check_untaken, read_owner, take_over
from orchestrate_tui.store.history import History
from orchestrate_tui.store.owners import Ownership
from orchestrate_tui.store.recovery import as_it_stands, mark_interrupted
from orchestrate_tui.store.workplaces import workplace
from tests.store.conftest import Spawn
from tests.store.scenery import NOON, Store, change, rollback_of, starting, succeeding, taking

LATER = NOON + timedelta(minutes=5)
GONE = 4711

RUN_A_STAGE = """
import sys
from datetime import datetime, UTC
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store import open_database
from orchestrate_tui.store.owners import Ownership
from orchestrate_tui.store.runs import change_run, change_stages
from tests.store.scenery import NOON, Store
database = open_database(sys.argv[1])
store = Store(database, Ownership(database, "bob", datetime.now(UTC)))
print(store.started_run("build", "deploy"), flush=True)
sys.stdin.read()
"""


def statuses(store: Store, run_id: int) -> list[str]:
    rows = store.select(
        "SELECT status FROM runs WHERE id = ?1 UNION ALL"
        " SELECT * FROM (SELECT status FROM stages WHERE run_id = ?1 ORDER BY position)",
        run_id,
    )
    return [status for (status,) in rows]


def rollback_under_way(store: Store, run_id: int, epoch: int) -> int:
    """A running rollback whose first step is done, its second under way, its third to come."""
    event = rollback_of(run_id, status=RollbackStatus.RUNNING, epoch=epoch)
    rollback_id = insert_rollback_event(store.database, event)
    names = ("deploy", "test", "build")
    plan = RollbackPlan(
        failed_stage="deploy",
        target="build",
        steps=tuple(PlanStep(stage_name=name, agent="robot", task="undo") for name in names),
    )
    store.database.write(lambda c: rollback_steps.insert_steps(c, rollback_id, plan))
    for position, status in enumerate(("succeeded", "running")):
        store.execute(
            "UPDATE rollback_steps SET status = ? WHERE rollback_id = ? AND position = ?",
            status, rollback_id, position,
        )  # fmt: skip
    return rollback_id


def steps(store: Store, rollback_id: int) -> list[str]:
    rows = store.select(
        "SELECT status FROM rollback_steps WHERE rollback_id = ? ORDER BY position", rollback_id
    )
    return [status for (status,) in rows]


def test_a_run_whose_executor_is_gone_is_marked_with_its_running_stages(store: Store) -> None:
    run_id = store.started_run("a", "b", epoch=GONE)
    store.change_stages(run_id, succeeding("a", 0), epoch=GONE)
    assert mark_interrupted(store.database, LATER) == (run_id,)
    assert statuses(store, run_id) == ["interrupted", "succeeded", "interrupted"]


def test_stages_that_were_not_running_stay_as_they_are(store: Store) -> None:
    run_id = store.started_run("a", "b", "c", epoch=GONE)
    retrying = change("a", 0, StageStatus.RUNNING, StageStatus.RETRYING)
    store.change_stages(run_id, retrying, epoch=GONE)
    store.execute("UPDATE stages SET status = 'waiting_approval' WHERE stage_name = 'b'")
    store.execute("UPDATE stages SET status = 'pending' WHERE stage_name = 'c'")
    mark_interrupted(store.database, LATER)
    assert statuses(store, run_id) == ["interrupted", "retrying", "waiting_approval", "pending"]


def test_a_run_that_was_never_begun_is_marked_too(store: Store) -> None:
    run_id = store.new_run(epoch=GONE)
    assert mark_interrupted(store.database, LATER) == (run_id,)
    assert statuses(store, run_id) == ["interrupted", "pending"]


def test_what_is_marked_is_recorded_with_the_reason(store: Store, history: History) -> None:
    run_id = store.started_run(epoch=GONE)
    before = history.last_event_id()
    mark_interrupted(store.database, LATER)
    told = history.events(run_id, after=before)
    assert [(one.kind, one.to_status) for one in told] == [
        ("stage", "interrupted"),
        ("run", "interrupted"),
    ]
    assert {(one.detail, one.at) for one in told} == {("its executor died", LATER)}
    run = history.run(run_id)
    assert (run.status, run.reason) == (RunStatus.INTERRUPTED, "its executor died")


def test_a_run_whose_executor_lives_is_never_touched(store: Store) -> None:
    other = Ownership(store.database, "bob", NOON)
    living = [store.started_run(), store.started_run(epoch=other.epoch), store.new_run()]
    gone = store.started_run(epoch=GONE)
    assert mark_interrupted(store.database, LATER) == (gone,)
    assert [statuses(store, run_id)[0] for run_id in living] == ["running", "running", "pending"]
    other.release()
    assert mark_interrupted(store.database, LATER) == (living[1],)


@pytest.mark.parametrize("is_removed", [False, True])
def test_an_executor_of_another_database_keeps_nobody_alive_here(
    store: Store,
    tmp_path: Path,
    is_removed: bool,  # noqa: FBT001
) -> None:
    with open_database(tmp_path / "other" / "store.db") as elsewhere:
        living = Ownership(elsewhere, "alice", NOON)
        gone = store.started_run(epoch=living.epoch)
        assert living.epoch == store.epoch
        store.owner._let_go()  # as if its process had died
        if is_removed:
            shutil.rmtree(tmp_path / "other")
        assert mark_interrupted(store.database, LATER) == (gone,)
        living.release()


def test_where_an_executor_works_is_no_riddle_while_the_database_is_away(
    store: Store, tmp_path: Path
) -> None:
    owner = store.database.read(partial(read_owner, epoch=store.epoch))
    store.path.rename(tmp_path / "away.db")
    assert workplace(store.database.files, owner) == store.path
    (tmp_path / "away.db").rename(store.path)
    assert workplace(store.database.files, owner) == store.path


def test_runs_that_have_ended_are_never_touched(store: Store) -> None:
    run_id = store.ended_run()
    store.execute("UPDATE runs SET epoch = ?", GONE)
    assert mark_interrupted(store.database, LATER) == ()
    assert statuses(store, run_id) == ["succeeded", "succeeded"]


def test_marking_again_finds_nothing_and_writes_nothing(store: Store, history: History) -> None:
    store.started_run(epoch=GONE)
    mark_interrupted(store.database, LATER)
    version, last = history.data_version(), history.last_event_id()
    assert mark_interrupted(store.database, LATER) == ()
    assert (history.data_version(), history.last_event_id()) == (version, last)


def test_the_step_that_was_under_way_is_marked_and_its_rollback_stays_running(
    store: Store, history: History
) -> None:
    run_id = store.started_run("build", "deploy", epoch=GONE)
    rollback_id = rollback_under_way(store, run_id, GONE)
    mark_interrupted(store.database, LATER)
    assert steps(store, rollback_id) == ["succeeded", "interrupted", "pending"]
    assert get_rollback_event(store.database, rollback_id).status is RollbackStatus.RUNNING
    told = [one for one in history.events(run_id) if one.kind == "step"]
    assert [(one.rollback_id, one.stage_name, one.to_status) for one in told] == [
        (rollback_id, "test", "interrupted")
    ]


def test_the_step_of_a_rollback_of_an_ended_run_is_marked_too(store: Store) -> None:
    rollback_id = rollback_under_way(store, store.ended_run("build", "deploy"), GONE)
    assert mark_interrupted(store.database, LATER) == ()
    assert steps(store, rollback_id) == ["succeeded", "interrupted", "pending"]


def test_the_step_of_a_rollback_whose_executor_lives_is_never_touched(store: Store) -> None:
    rollback_id = rollback_under_way(store, store.ended_run("build", "deploy"), store.epoch)
    store.started_run(epoch=GONE)
    mark_interrupted(store.database, LATER)
    assert steps(store, rollback_id) == ["succeeded", "running", "pending"]


def test_a_killed_executor_leaves_interrupted_work(
    store: Store, history: History, spawn: Spawn
) -> None:
    process = spawn(RUN_A_STAGE, store.path)
    assert process.stdout
    run_id = int(process.stdout.readline())
    assert history.run(run_id).status is RunStatus.RUNNING
    assert mark_interrupted(store.database, LATER) == ()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert history.run(run_id).status is RunStatus.INTERRUPTED
    assert mark_interrupted(store.database, LATER) == (run_id,)
    assert statuses(store, run_id) == ["interrupted", "interrupted", "interrupted"]


def test_interrupted_work_is_shown_before_anybody_marks_it(store: Store, history: History) -> None:
    run_id = store.started_run("a", "b", epoch=GONE)
    store.change_stages(run_id, succeeding("a", 0), epoch=GONE)
    version = history.data_version()
    for run in (history.run(run_id), *history.runs()):
        assert (run.status, run.reason) == (RunStatus.INTERRUPTED, "its executor died")
    assert [stage.status for stage in history.stages(run_id)] == [
        StageStatus.SUCCEEDED,
        StageStatus.INTERRUPTED,
    ]
    assert statuses(store, run_id) == ["running", "succeeded", "running"]
    assert history.data_version() == version


def test_an_interrupted_step_is_shown_before_anybody_marks_it(
    store: Store, history: History
) -> None:
    rollback_id = rollback_under_way(store, store.ended_run("build", "deploy"), GONE)
    assert [step.status for step in history.steps(rollback_id)] == [
        StepStatus.SUCCEEDED,
        StepStatus.INTERRUPTED,
        StepStatus.PENDING,
    ]
    assert steps(store, rollback_id) == ["succeeded", "running", "pending"]


def test_what_a_living_executor_does_is_shown_as_it_is(store: Store, history: History) -> None:
    run_id = store.started_run("build", "deploy")
    rollback_id = rollback_under_way(store, run_id, store.epoch)
    assert history.run(run_id).status is RunStatus.RUNNING
    assert {stage.status for stage in history.stages(run_id)} == {StageStatus.RUNNING}
    assert history.steps(rollback_id)[1].status is StepStatus.RUNNING


def test_a_run_as_it_was_read_is_shown_as_it_stands(store: Store, history: History) -> None:
    run = history.run(store.started_run())
    assert as_it_stands(run, history.files) == run
    lost = as_it_stands(replace(run, epoch=GONE), history.files)
    assert (lost.status, lost.reason) == (RunStatus.INTERRUPTED, "its executor died")


class Meanwhile(StoreFiles):
    """Files whose first lock that is asked for is let go at that very moment."""

    def __init__(self, path: Path, happen: Callable[[], None]) -> None:
        super().__init__(path)
        self._happen = [happen]

    def owner_lock(self, epoch: int) -> Path:
        while self._happen:
            self._happen.pop()()
        return super().owner_lock(epoch)


@pytest.fixture
def owner(store: Store) -> Ownership:
    return Ownership(store.database, "bob", NOON)


def test_a_run_that_ends_while_it_is_read_is_not_shown_as_interrupted(
    store: Store, history: History, owner: Ownership
) -> None:
    run_id = store.started_run(epoch=owner.epoch)

    def end() -> None:
        store.change_stages(run_id, succeeding(), epoch=owner.epoch)
        store.change_run(run_id, RunStatus.RUNNING, RunStatus.SUCCEEDED, epoch=owner.epoch)
        owner.release()

    history.files = Meanwhile(store.path, end)
    assert history.run(run_id).status is RunStatus.SUCCEEDED


def test_runs_that_end_while_they_are_listed_are_not_shown_as_interrupted(
    store: Store, history: History, owner: Ownership
) -> None:
    ended, lost = store.started_run(epoch=owner.epoch), store.started_run(epoch=GONE)

    def end() -> None:
        store.change_run(ended, RunStatus.RUNNING, RunStatus.FAILED, epoch=owner.epoch)
        owner.release()

    history.files = Meanwhile(store.path, end)
    assert {run.id: run.status for run in history.runs()} == {
        ended: RunStatus.FAILED,
        lost: RunStatus.INTERRUPTED,
    }


def test_a_run_taken_over_while_it_is_read_is_not_shown_as_interrupted(
    store: Store, history: History
) -> None:
    run_id = store.started_run(epoch=GONE)

    def resume() -> None:
        mark_interrupted(store.database, LATER)
        takeover = taking(store.epoch)
        status = RunStatus.INTERRUPTED
        store.database.write(
            lambda c: take_over(c, run_id, seen=GONE, status=status, takeover=takeover)
        )
        store.change_run(run_id, RunStatus.INTERRUPTED, RunStatus.RUNNING)

    history.files = Meanwhile(store.path, resume)
    assert history.run(run_id).status is RunStatus.RUNNING


def test_a_step_that_ends_while_it_is_read_is_not_shown_as_interrupted(
    store: Store, history: History, owner: Ownership
) -> None:
    rollback_id = rollback_under_way(store, store.ended_run("build", "deploy"), owner.epoch)

    def end() -> None:
        store.execute("UPDATE rollback_steps SET status = 'succeeded'")
        owner.release()

    history.files = Meanwhile(store.path, end)
    assert {step.status for step in history.steps(rollback_id)} == {StepStatus.SUCCEEDED}


def test_what_somebody_saw_of_a_run_is_stale_once_its_owner_has_changed_or_ended_it(
    store: Store,
) -> None:
    run_id = store.started_run(epoch=GONE)
    mark_interrupted(store.database, LATER)
    interrupted, takeover = RunStatus.INTERRUPTED, taking(store.epoch)
    seen = partial(check_untaken, run_id=run_id, status=interrupted)
    store.database.read(partial(seen, seen=GONE))
    store.database.write(
        lambda c: take_over(c, run_id, seen=GONE, status=interrupted, takeover=takeover)
    )
    with pytest.raises(StaleTransition, match=f"Run {run_id} was taken over by"):
        store.database.read(partial(seen, seen=GONE))
    store.database.read(partial(seen, seen=store.epoch))
    store.change_run(run_id, interrupted, RunStatus.CANCELLED)
    with pytest.raises(StaleTransition, match=f"Run {run_id} was cancelled by now"):
        store.database.read(partial(seen, seen=store.epoch))


def test_a_resumed_run_goes_on_where_it_stopped(store: Store, history: History) -> None:
    run_id = store.started_run("a", "b", epoch=GONE)
    mark_interrupted(store.database, LATER)
    status, takeover = RunStatus.INTERRUPTED, taking(store.epoch)
    store.database.write(
        lambda c: take_over(c, run_id, seen=GONE, status=status, takeover=takeover)
    )
    store.change_run(run_id, RunStatus.INTERRUPTED, RunStatus.RUNNING)
    again = change("a", 0, StageStatus.INTERRUPTED, StageStatus.RUNNING, attempt=2)
    store.change_stages(run_id, again)
    run, (a, b) = history.run(run_id), history.stages(run_id)
    assert (run.status, run.reason, run.started_at) == (RunStatus.RUNNING, "", NOON)
    assert (a.status, a.attempt, b.status) == (StageStatus.RUNNING, 2, StageStatus.INTERRUPTED)
    with pytest.raises(Exception, match="not in the status"):
        store.change_stages(run_id, starting("b", 1))
