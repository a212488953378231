"""What other accounts ask is done once, recorded with who asked, and answered again when lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from orchestrate_tui.domain.access import Right
from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import CannotStart, NotFound, Refused, Unrecorded
from orchestrate_tui.executor.access import Access
from orchestrate_tui.executor.clerk import Clerk
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.errands import (
    Approve,
    Cancel,
    Halt,
    Plan,
    Rehearse,
    Reject,
    Rollback,
    Start,
)
from orchestrate_tui.executor.lines import Peer
from orchestrate_tui.executor.people import People
from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.commands import CommandStatus, find_command
from orchestrate_tui.store.history import History
from orchestrate_tui.store.rehearsals import read_rehearsal
from tests.executor.scenery import asking, pipeline, stage, undone
from tests.executor.test_control import Loaded
from tests.small_disk import fill, small_disk

BOB = Peer(uid=1, name="daemon")
EVE = Peer(uid=2, name="bin")
DEPLOY = RollbackDemand(from_stage="deploy", reason="x")
PATIENCE_S = 60


class Place:
    """An executor and the clerk who does errands for BOB."""

    def __init__(self, path: Path) -> None:
        self.database: Database = open_database(path)
        self.control = Control(self.database)
        access = Access(granted={"daemon": list(Right)}, people=People(), owner="alice")
        self.clerk = Clerk(self.control, self.database, access, self._start)
        self.history = History(path)
        self._keys = 0

    def _start(self, control: Control, errand: Start) -> Future[int]:
        raise CannotStart(f"{errand.file} is not for {control.epoch}")

    def close(self) -> None:
        self.history.close()
        self.control.close()
        self.database.close()

    def key(self) -> str:
        self._keys += 1
        return f"{self._keys:032}"

    def begin(self, *stages: Stage) -> tuple[int, Future[Run]]:
        begun = self.control.begin_run(Loaded(pipeline(*stages)), workdir=self.database.path.parent)
        return begun.run_id.result(PATIENCE_S), begun.end

    def waiting(self) -> tuple[int, Future[Run]]:
        """A run whose stage `deploy` waits for BOB or EVE."""
        approval = asking("daemon", "bin", quorum=1)
        run_id, end = self.begin(stage("deploy", approval=approval))
        while self.history.stages(run_id)[0].status is not StageStatus.WAITING_APPROVAL:
            pass
        return run_id, end


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    opened = Place(tmp_path / "store.db")
    yield opened
    opened.close()


def test_the_same_errand_again_gets_the_first_answer(place: Place) -> None:
    run_id, end = place.waiting()
    errand = Approve(key=place.key(), run=run_id, stage="deploy")
    first = place.clerk.serve(errand, BOB)
    assert end.result(PATIENCE_S).status is RunStatus.SUCCEEDED
    assert place.clerk.serve(errand, BOB) == first
    assert len(place.history.approvals(run_id)) == 1


def test_what_was_refused_stays_refused(place: Place) -> None:
    run_id, _ = place.waiting()
    errand = Approve(key=place.key(), run=run_id, stage="nowhere")
    with pytest.raises(Refused, match="nowhere") as first:
        place.clerk.serve(errand, BOB)
    with pytest.raises(Refused) as second:
        place.clerk.serve(errand, BOB)
    assert str(second.value) == str(first.value)
    place.clerk.serve(Reject(key=place.key(), run=run_id, stage="deploy"), BOB)


def test_nobody_gets_the_answer_to_what_another_asked(place: Place) -> None:
    run_id, end = place.waiting()
    errand = Cancel(key=place.key(), run=run_id)
    place.clerk.serve(errand, BOB)
    end.result(PATIENCE_S)
    with pytest.raises(Refused, match="the right 'run' is missing"):
        place.clerk.serve(errand, EVE)


def test_a_rehearsal_is_recorded_with_who_asked(place: Place) -> None:
    run_id, end = place.begin(undone("deploy", undo="false"))
    end.result(PATIENCE_S)
    errand = Rehearse(key=place.key(), run=run_id, demand=RollbackDemand(to_stage="deploy"))
    assert place.clerk.serve(errand, BOB).answer == "1"
    found = place.history.query(partial(read_rehearsal, rehearsal_id=1))
    assert (found.actor, found.rollback_to_stage, found.is_well) == ("daemon", "deploy", True)
    with pytest.raises(Refused, match="the right 'rollback' is missing"):
        place.clerk.serve(errand, EVE)


def test_the_outcome_is_kept_with_who_asked(place: Place) -> None:
    run_id, end = place.waiting()
    key = place.key()
    place.clerk.serve(Cancel(key=key, run=run_id), BOB)
    assert end.result(PATIENCE_S).reason == "cancelled by daemon"
    command = place.database.read(lambda c: find_command(c, f"{BOB.uid}:{key}"))
    assert command is not None
    assert (command.actor, command.status) == ("daemon", CommandStatus.DONE)


def test_a_rollback_that_was_refused_while_the_run_ended_is_made_with_the_same_key(
    place: Place,
) -> None:
    held = asking(current_user(), quorum=1)
    run_id, end = place.begin(undone("deploy", approval=held))
    key = f"{BOB.uid}:{place.key()}"
    with pytest.raises(Refused):  # nothing has started
        place.control.on_behalf_of(BOB.name, key).rollback(run_id, DEPLOY).result(PATIENCE_S)
    while place.history.stages(run_id)[0].status is not StageStatus.WAITING_APPROVAL:
        pass
    place.control.approve(run_id, "deploy").result(PATIENCE_S)
    end.result(PATIENCE_S)
    again = place.control.on_behalf_of(BOB.name, key).rollback(run_id, DEPLOY)
    answer = str(again.result(PATIENCE_S))
    command = place.database.read(lambda c: find_command(c, key))
    assert command is not None
    assert (command.status, command.outcome) == (CommandStatus.DONE, answer)
    place.control.wait()


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Place]:
    with small_disk(tmp_path / "disk") as folder:
        opened = Place(folder / "store.db")
        yield opened
        opened.close()


def test_on_a_full_disk_who_may_is_heard_and_told_that_it_is_not_recorded(cramped: Place) -> None:
    run_id, end = cramped.waiting()
    filler = fill(cramped.database.path.parent, cramped.database.path)
    errand = Approve(key=cramped.key(), run=run_id, stage="deploy")
    with pytest.raises(Refused, match="the right 'approve' is missing"):
        cramped.clerk.serve(errand, EVE)
    with pytest.raises(Unrecorded, match="knows that daemon says approve of stage 'deploy'"):
        cramped.clerk.serve(errand, BOB)
    filler.unlink()
    assert end.result(PATIENCE_S).status is RunStatus.SUCCEEDED
    (approval,) = cramped.history.approvals(run_id)
    assert approval.actor == "daemon"


def test_a_rollback_of_an_ended_run_that_is_asked_for_again_is_not_done_again(
    place: Place,
) -> None:
    run_id, end = place.begin(undone("deploy"))
    end.result(PATIENCE_S)
    plan = place.clerk.serve(Plan(key=place.key(), run=run_id, demand=DEPLOY), BOB).plan
    assert plan is not None
    demand = replace(DEPLOY, plan_hash=plan.hash)
    errand = Rollback(key=place.key(), run=run_id, demand=demand)
    answer = place.clerk.serve(errand, BOB)
    place.control.wait()
    assert place.clerk.serve(errand, BOB) == answer
    (event,) = place.history.rollbacks(run_id)
    assert (str(event.id), event.actor) == (answer.answer, "daemon")


@pytest.mark.parametrize("kind", [Plan, Rehearse, Rollback])
def test_nobody_else_says_by_which_definition_a_run_is_undone(
    place: Place, kind: type[Plan | Rehearse | Rollback]
) -> None:
    run_id, end = place.begin(undone("deploy"))
    end.result(PATIENCE_S)
    digest = place.history.run(run_id).definition_hash
    errand = kind(key=place.key(), run=run_id, demand=replace(DEPLOY, definition=digest))
    with pytest.raises(Refused, match="Only the owner of the database says by which"):
        place.clerk.serve(errand, BOB)


def test_what_is_not_there_is_said_to_be_so(place: Place) -> None:
    for errand in (
        Approve(key=place.key(), run=99, stage="deploy"),
        Cancel(key=place.key(), run=99),
        Halt(key=place.key(), rollback=99),
        Plan(key=place.key(), run=99, demand=DEPLOY),
        Rollback(key=place.key(), run=99, demand=DEPLOY),
    ):
        with pytest.raises(NotFound):
            place.clerk.serve(errand, BOB)
    with pytest.raises(CannotStart):
        place.clerk.serve(Start(key=place.key(), file="/x.yaml"), BOB)
