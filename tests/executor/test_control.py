from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as all_threads

import pytest

from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.errors import NotFound, Refused, RollbackLoop, StoreError
from orchestrate_tui.executor.control import BegunRun, Control
from orchestrate_tui.executor.hub import Subscription
from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.history import History
from tests.executor.scenery import (
    FOREVER,
    ROLLBACK,
    after,
    asking,
    is_running,
    pipeline,
    stage,
    undone,
)

PATIENCE_S = 60
HOLDS = "echo $$ >ready; read go <gate"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline as if it had been read from a file."""

    pipeline: Pipeline
    source: str = "name: shop\n"
    file: str = "/srv/shop.yaml"


@dataclass(slots=True)
class Desk:
    """A control, and what happened."""

    control: Control
    history: History
    folder: Path

    def begin(self, *stages: Stage) -> BegunRun:
        return self.control.begin_run(Loaded(pipeline(*stages)), workdir=self.folder)

    def heard(self) -> str:
        """Wait until a stage has written its line."""
        return (self.folder / "ready").read_text().strip()

    def open_gate(self) -> None:
        (self.folder / "gate").write_text("\n")

    def until(self, subscription: Subscription, holds: Callable[[], bool]) -> None:
        while not holds():
            subscription.drain()


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path) as opened:
        yield opened


@pytest.fixture
def desk(database: Database, folder: Path) -> Iterator[Desk]:
    os.mkfifo(folder / "ready")
    os.mkfifo(folder / "gate")
    with Control(database) as control:
        history = History(database.path)
        yield Desk(control, history, folder)
        history.close()


def test_a_run_is_begun_and_ends(desk: Desk) -> None:
    begun = desk.begin(stage("a"))
    run_id = begun.run_id.result(PATIENCE_S)
    run = begun.end.result(PATIENCE_S)
    assert (run.id, run.status) == (run_id, RunStatus.SUCCEEDED)
    assert (run.workdir, run.pipeline_dir) == (str(desk.folder), "/srv")


def test_what_fails_is_an_error_that_an_operator_can_read(desk: Desk) -> None:
    with pytest.raises(NotFound, match="There is no run 9"):
        desk.control.cancel(9).result(PATIENCE_S)
    with pytest.raises(NotFound):
        desk.control.resume(9).result(PATIENCE_S)
    with pytest.raises(NotFound):
        desk.control.rollback(9, RollbackDemand(from_stage="a")).result(PATIENCE_S)
    with pytest.raises(NotFound):
        desk.control.halt(9, "").result(PATIENCE_S)
    run_id = desk.begin(stage("a")).end.result(PATIENCE_S).id
    with pytest.raises(Refused, match="has ended"):
        desk.control.approve(run_id, "a").result(PATIENCE_S)


def test_a_run_that_cannot_be_recorded_fails_both_futures(desk: Desk, database: Database) -> None:
    database.write(
        lambda c: c.execute(
            "CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(FAIL, 'full'); END"
        ).close()
    )
    begun = desk.begin(stage("a"))
    for future in (begun.run_id, begun.end):
        assert isinstance(future.exception(PATIENCE_S), StoreError)


def test_a_rollback_is_begun_and_followed(desk: Desk) -> None:
    run = desk.begin(undone("a"), undone("b", "", "a")).end.result(PATIENCE_S)
    demand = RollbackDemand(from_stage="b", to_stage="a", reason="bad")
    plan = desk.control.plan_rollback(run.id, demand).result(PATIENCE_S)
    assert [step.stage_name for step in plan.steps] == ["b", "a"]
    started = desk.control.rollback(run.id, replace(demand, plan_hash=plan.hash))
    event = desk.control.follow_rollback(started.result(PATIENCE_S)).result(PATIENCE_S)
    assert (event.status, event.actor) == (RollbackStatus.SUCCEEDED, current_user())
    with pytest.raises(RollbackLoop):
        desk.control.rollback(run.id, demand).result(PATIENCE_S)


def test_decisions_and_cancellations_reach_the_run(desk: Desk) -> None:
    subscription = desk.control.subscribe()
    begun = desk.begin(
        stage("a", approval=asking(current_user())), stage("b", approval=asking(current_user()))
    )
    run_id = begun.run_id.result(PATIENCE_S)
    desk.until(
        subscription,
        lambda: all(
            one.status is StageStatus.WAITING_APPROVAL for one in desk.history.stages(run_id)
        ),
    )
    assert desk.control.approve(run_id, "a", "ok").result(PATIENCE_S).startswith("Approved")
    assert desk.control.reject(run_id, "b", "no").result(PATIENCE_S).startswith("Rejected")
    assert begun.end.result(PATIENCE_S).status is RunStatus.FAILED


def test_waiting_ends_when_nothing_is_worked_on_any_more(desk: Desk) -> None:
    begun = [desk.begin(stage("a", "true"), after("b", "a")) for _ in range(5)]
    desk.control.wait()
    assert all(one.end.done() for one in begun)
    assert desk.control.active() == ()


def test_waiting_outlasts_what_fails(desk: Desk) -> None:
    desk.control.resume(9)
    desk.begin(stage("a", "exit 1"))
    desk.control.wait()


def test_many_runs_are_worked_on_at_once(desk: Desk) -> None:
    begun = [
        desk.begin(*(stage(f"s{number}", agent="nothing") for number in range(20)))
        for _ in range(25)
    ]
    runs: list[Run] = [one.end.result(PATIENCE_S) for one in begun]
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
    assert len({run.id for run in runs}) == 25


def test_who_stops_waiting_stops_nothing(desk: Desk) -> None:
    begun = desk.begin(stage("a", HOLDS))
    assert not begun.run_id.cancel()
    assert not begun.end.cancel()
    assert is_running(desk.heard())
    assert desk.control.active() == (begun.run_id.result(PATIENCE_S),)
    desk.open_gate()
    assert begun.end.result(PATIENCE_S).status is RunStatus.SUCCEEDED


def test_it_may_be_used_from_any_thread_and_closed_from_another(
    database: Database, folder: Path
) -> None:
    control = Control(database)
    runs: list[Run] = []

    def work() -> None:
        loaded = Loaded(pipeline(stage("a"), after("b", "a")))
        runs.append(control.begin_run(loaded, workdir=folder).end.result(PATIENCE_S))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    closer = Thread(target=control.close)
    closer.start()
    closer.join(PATIENCE_S)
    assert not closer.is_alive()
    assert len(runs) == 4
    control.close()


def test_closing_waits_for_what_runs(desk: Desk) -> None:
    begun = desk.begin(stage("a", HOLDS))
    desk.heard()
    closed = Event()

    def close() -> None:
        desk.control.close()
        closed.set()

    closer = Thread(target=close)
    closer.start()
    assert not closed.is_set()
    desk.open_gate()
    closer.join(PATIENCE_S)
    assert closed.is_set()
    assert begun.end.result(0).status is RunStatus.SUCCEEDED


def test_closing_gives_up_what_only_waits_for_others(database: Database, folder: Path) -> None:
    os.mkfifo(folder / "ready")
    with Control(database) as owner:
        begun = owner.begin_run(
            Loaded(pipeline(undone("a", "exit 1", undo=FOREVER, on_failure=ROLLBACK))),
            workdir=folder,
        )
        (folder / "ready").read_text()
        with Control(database) as other:
            follow = other.follow_rollback(1)
        assert follow.cancelled()
        owner.halt(1, "enough").result(PATIENCE_S)
        assert begun.end.result(PATIENCE_S).status is RunStatus.FAILED


def test_an_executor_that_cannot_open_leaves_no_thread(database: Database) -> None:
    before = set(all_threads())
    database.close()
    with pytest.raises(StoreError, match="is closed"):
        Control(database)
    assert set(all_threads()) <= before
