"""A model of the store: what several executors may do to one database, and what must come of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import finalize

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrate_tui.domain.run import ApprovalRecord, Decision
from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    ROLLBACK_TRANSITIONS,
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    RollbackStatus,
    RunStatus,
    StageStatus,
)
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.store import approvals, commands, open_database, rollbacks, runs
from orchestrate_tui.store.commands import CommandKind, CommandStatus
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import take_over
from orchestrate_tui.store.history import History
from orchestrate_tui.store.recovery import mark_interrupted
from orchestrate_tui.store.verification import verify
from tests.store.scenery import NOON, Store, change, rollback_of, taking

STAGES = ("build", "deploy", "smoke")
UNDER_WAY = {RunStatus.PENDING, RunStatus.RUNNING}
UNENDED = {RollbackStatus.PENDING, RollbackStatus.RUNNING}
MOST_EXECUTORS, MOST_RUNS = 6, 3


@dataclass(slots=True)
class Rollback:
    """What is known of a rollback."""

    target: str
    status: RollbackStatus = RollbackStatus.PENDING


@dataclass(slots=True)
class Run:
    """What is known of a run."""

    epoch: int
    status: RunStatus = RunStatus.PENDING
    stages: list[StageStatus] = field(default_factory=lambda: [StageStatus.PENDING] * len(STAGES))
    rollbacks: dict[int, Rollback] = field(default_factory=dict)
    decided: set[tuple[str, str]] = field(default_factory=set)


def empty_database(folder: Path) -> Path:
    """A database without runs, of which each example takes a copy."""
    path = folder / "empty" / "store.db"
    open_database(path).close()
    return path


class StoreMachine(RuleBasedStateMachine):
    """Executors that come, work, die, and take over from each other, in any order."""

    empty: Path

    def __init__(self) -> None:
        super().__init__()
        folder = tempfile.TemporaryDirectory()
        finalize(self, folder.cleanup)
        for file in self.empty.parent.glob("store.db*"):
            if file.is_file():
                shutil.copy(file, folder.name)
        self.path = Path(folder.name, "store.db")
        self.opened = ExitStack()
        self.executors: list[Store] = []
        self.writers: list[Store] = []
        self.dead: set[int] = set()
        self.runs: dict[int, Run] = {}
        self.commands: dict[str, tuple[int, bool]] = {}
        self.touched: set[int] = set()
        self.come()
        self.history = History(self.path)
        self.opened.callback(self.history.close)

    def teardown(self) -> None:
        try:
            for run_id in self.runs:
                self._check_events(run_id)
            assert self.executors[0].database.read(verify).damage == ()
        finally:
            self.opened.close()

    # Executors

    @precondition(lambda self: len(self.writers) < MOST_EXECUTORS)
    @rule()
    def come(self) -> None:
        """Another executor, on a connection of its own."""
        store = Store.of(self.opened.enter_context(open_database(self.path)))
        self.opened.callback(store.owner._let_go)
        self.executors.append(store)
        self.writers.append(store)

    @precondition(lambda self: len(self.executors) > 1)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """One dies; the kernel frees its lock, and nobody else is told."""
        dying = data.draw(st.sampled_from(self.executors))
        self.executors.remove(dying)
        dying.owner._let_go()
        self.dead.add(dying.epoch)
        self.touched |= set(self.runs)

    @rule(data=st.data())
    def recover(self, data: st.DataObject) -> None:
        lost = {
            run_id
            for run_id, run in self.runs.items()
            if run.status in UNDER_WAY and run.epoch in self.dead
        }
        assert set(mark_interrupted(self._one(data).database, NOON)) == lost
        for run_id in lost:
            self._interrupt(run_id)

    def _interrupt(self, run_id: int) -> None:
        run = self.runs[run_id]
        run.status = RunStatus.INTERRUPTED
        run.stages = [
            StageStatus.INTERRUPTED if status is StageStatus.RUNNING else status
            for status in run.stages
        ]
        self.touched.add(run_id)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), is_honest=st.booleans())
    def take_over(self, data: st.DataObject, is_honest: bool) -> None:  # noqa: FBT001
        """Become the owner of a run of whoever was seen to own it, or once owned it."""
        by, (run_id, run) = self._one(data), self._run(data)
        seen, status = run.epoch, run.status
        if not is_honest:
            seen = data.draw(st.sampled_from([0, run.epoch, *self.dead, by.epoch]))
            status = data.draw(st.sampled_from(RunStatus))

        def take(connection: Connection) -> None:
            take_over(connection, run_id, seen=seen, status=status, takeover=taking(by.epoch))

        if self._done(by, take, expected=(seen, status) == (run.epoch, run.status)):
            run.epoch = by.epoch
            self.touched.add(run_id)

    # Runs

    @precondition(lambda self: len(self.runs) < MOST_RUNS)
    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        by = self._one(data)
        self.runs[by.new_run(*STAGES)] = Run(by.epoch)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), is_honest=st.booleans())
    def change_run(self, data: st.DataObject, is_honest: bool) -> None:  # noqa: FBT001
        by, (run_id, run) = self._writer(data), self._run(data)
        seen = run.status if is_honest else data.draw(st.sampled_from(RunStatus))
        status = data.draw(st.sampled_from(sorted(RUN_TRANSITIONS[seen]) or list(RunStatus)))
        may = by.epoch == run.epoch and seen is run.status and status in RUN_TRANSITIONS[seen]

        def do(connection: Connection) -> None:
            runs.change_run(
                connection, run_id, epoch=by.epoch, expected=seen, status=status, at=NOON
            )

        if self._done(by, do, expected=may):
            run.status = status
            self.touched.add(run_id)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), position=st.sampled_from(range(len(STAGES))), is_honest=st.booleans())
    def change_stage(self, data: st.DataObject, position: int, is_honest: bool) -> None:  # noqa: FBT001
        by, (run_id, run) = self._writer(data), self._run(data)
        seen = run.stages[position] if is_honest else data.draw(st.sampled_from(StageStatus))
        status = data.draw(st.sampled_from(sorted(STAGE_TRANSITIONS[seen]) or list(StageStatus)))
        step = change(STAGES[position], position, seen, status)
        may = (
            by.epoch == run.epoch
            and seen is run.stages[position]
            and status in STAGE_TRANSITIONS[seen]
        )

        def do(connection: Connection) -> None:
            runs.change_stages(connection, run_id, by.epoch, [step])

        if self._done(by, do, expected=may):
            run.stages[position] = status
            self.touched.add(run_id)

    # What people ask

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), stage=st.sampled_from(STAGES), entry=st.sampled_from(["ann", "@ops"]))
    def approve(self, data: st.DataObject, stage: str, entry: str) -> None:
        by, (run_id, run) = self._one(data), self._run(data)
        approval = ApprovalRecord(
            run_id=run_id, stage_name=stage, decision=Decision.APPROVED, entry=entry, actor="ann",
            comment="", decided_at=NOON,
        )  # fmt: skip
        may = (stage, entry) not in run.decided
        if self._done(by, lambda c: approvals.insert_approval(c, approval), expected=may):
            run.decided.add((stage, entry))

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), key=st.sampled_from("abc"))
    def command(self, data: st.DataObject, key: str) -> None:
        """Ask something, under a key that may have been used before."""
        by, (run_id, _) = self._one(data), self._run(data)

        def insert(connection: Connection) -> int:
            return commands.insert_command(
                connection, idempotency_key=key, run_id=run_id, kind=CommandKind.CANCEL,
                payload={}, actor="ann", at=NOON,
            )  # fmt: skip

        command_id = by.database.write(insert)
        assert self.commands.setdefault(key, (command_id, False))[0] == command_id

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        by, key = self._one(data), data.draw(st.sampled_from(sorted(self.commands)))
        command_id, is_answered = self.commands[key]

        def carry_out(connection: Connection) -> None:
            asked = commands.read_command(connection, command_id)
            commands.answer_command(connection, asked, CommandStatus.DONE, "done", NOON)

        if self._done(by, carry_out, expected=not is_answered):
            self.commands[key] = command_id, True

    # Rollbacks

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), stage=st.sampled_from(STAGES))
    def roll_back(self, data: st.DataObject, stage: str) -> None:
        """Ask for a rollback by hand, under all the rules."""
        by, (run_id, run) = self._one(data), self._run(data)
        ids: list[int] = []

        def request(connection: Connection) -> None:
            rollbacks.check_none_under_way(connection, run_id)
            rollbacks.check_loop(connection, run_id, stage)
            event = rollback_of(run_id, rollback_to_stage=stage, epoch=by.epoch)
            ids.append(rollbacks.insert(connection, event))

        known = run.rollbacks.values()
        is_free = all(one.status not in UNENDED for one in known)
        is_new = all(one.target != stage for one in known)
        if self._done(by, request, expected=is_free and is_new):
            run.rollbacks[ids[0]] = Rollback(stage)
            self.touched.add(run_id)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), stage=st.sampled_from(STAGES))
    def queue(self, data: st.DataObject, stage: str) -> None:
        """One that a failed stage asks for waits for the others."""
        by, (run_id, run) = self._one(data), self._run(data)
        event = rollback_of(run_id, rollback_to_stage=stage, epoch=by.epoch)
        rollback_id = by.database.write(lambda connection: rollbacks.insert(connection, event))
        run.rollbacks[rollback_id] = Rollback(stage)
        self.touched.add(run_id)

    @precondition(lambda self: any(run.rollbacks for run in self.runs.values()))
    @rule(data=st.data(), is_honest=st.booleans())
    def change_rollback(self, data: st.DataObject, is_honest: bool) -> None:  # noqa: FBT001
        by = self._one(data)
        run_id, run = data.draw(
            st.sampled_from([one for one in self.runs.items() if one[1].rollbacks])
        )
        rollback_id = data.draw(st.sampled_from(sorted(run.rollbacks)))
        known = run.rollbacks[rollback_id]
        next_ones = sorted(ROLLBACK_TRANSITIONS[known.status]) if is_honest else ()
        status = data.draw(st.sampled_from(next_ones or list(RollbackStatus)))
        self._lead(by, run_id, rollback_id, status)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def end_rollbacks(self, data: st.DataObject) -> None:
        """Let all rollbacks of a run end, so that another may be asked for."""
        by, (run_id, run) = self._one(data), self._run(data)
        for rollback_id, known in run.rollbacks.items():
            ends = sorted(ROLLBACK_TRANSITIONS[known.status] & ENDED_ROLLBACKS)
            if ends:
                self._lead(by, run_id, rollback_id, data.draw(st.sampled_from(ends)))

    def _lead(self, by: Store, run_id: int, rollback_id: int, status: RollbackStatus) -> None:
        """Have a rollback become something, whether it may or not."""
        run = self.runs[run_id]
        known = run.rollbacks[rollback_id]

        def update(connection: Connection) -> None:
            event = rollbacks.read(connection, rollback_id)
            rollbacks.update(connection, replace(event, status=status))

        is_changed = status is not known.status
        may = not is_changed or status in ROLLBACK_TRANSITIONS[known.status]
        if is_changed and status is RollbackStatus.RUNNING:
            may = may and all(one.status is not status for one in run.rollbacks.values())
        if self._done(by, update, expected=may):
            known.status = status
            self.touched.add(run_id)

    # What must hold

    @invariant()
    def shows_what_is_known(self) -> None:
        """What was touched is shown as the model knows it, and what a death left as interrupted."""
        touched, self.touched = self.touched, set()
        for run_id in touched:
            run, shown = self.runs[run_id], self.history.run(run_id)
            is_left = run.status in UNDER_WAY and run.epoch in self.dead
            assert shown.status is (RunStatus.INTERRUPTED if is_left else run.status)
            assert shown.epoch == run.epoch
            assert {e.id: e.status for e in self.history.rollbacks(run_id, limit=1000)} == {
                number: one.status for number, one in run.rollbacks.items()
            }
            if shown.status is not RunStatus.INTERRUPTED:
                assert [one.status for one in self.history.stages(run_id)] == run.stages

    def _check_events(self, run_id: int) -> None:
        """The events of a run, replayed, lead to what is known of it."""
        run = self.runs[run_id]
        last: dict[object, str] = {"run": RunStatus.PENDING} | dict.fromkeys(
            STAGES, StageStatus.PENDING
        )
        for event in self.history.events(run_id, limit=100_000):
            if event.to_status is None or event.kind not in {"run", "stage", "rollback"}:
                continue
            key = {"run": "run", "stage": event.stage_name, "rollback": event.rollback_id}[
                event.kind
            ]
            assert event.from_status is None or event.from_status == last[key], event
            last[key] = event.to_status
        known: dict[object, str] = {
            "run": run.status,
            **dict(zip(STAGES, run.stages, strict=True)),
            **{number: one.status for number, one in run.rollbacks.items()},
        }
        assert last == known

    # Choices

    def _one(self, data: st.DataObject) -> Store:
        return data.draw(st.sampled_from(self.executors))

    def _writer(self, data: st.DataObject) -> Store:
        """An executor that lives, or one that is taken for dead and writes on."""
        return data.draw(st.sampled_from(self.writers))

    def _run(self, data: st.DataObject) -> tuple[int, Run]:
        return data.draw(st.sampled_from(list(self.runs.items())))

    def _done(self, by: Store, act: Callable[[Connection], None], *, expected: bool) -> bool:
        """Try it; whether it is done must be what the model expects."""
        done = True
        try:
            by.database.write(act)
        except OrchestrateError:
            done = False
        assert done is expected
        return done
