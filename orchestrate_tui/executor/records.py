"""Reads runs and rollbacks for the executor, and prepares what works on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from orchestrate_tui.agents.environment import remove_outputs
from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.run import ApprovalRecord, Run, StageRun
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, StageStatus, StepStatus
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.instructions import Instructions
from orchestrate_tui.executor.permission import StartPermission
from orchestrate_tui.executor.secrets import Secrets, check_complete, secrets_of_pipeline
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.approvals import approvals_of
from orchestrate_tui.store.attendance import named
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.fencing import read_owner
from orchestrate_tui.store.history import (
    considered_stages,
    outputs_of,
    read_run,
    stages_of,
    steps_of,
)
from orchestrate_tui.store.owners import is_alive

if TYPE_CHECKING:
    from orchestrate_tui.executor.left_work import LeftWork

T = TypeVar("T")


class Records:
    """Runs and rollbacks as the database has them."""

    def __init__(self, executor: ExecutorContext) -> None:
        self._executor = executor
        self._database = executor.database

    def run(self, run_id: int) -> Run:
        """The run as its row says. Raises NotFound."""
        return self._read(read_run, run_id)

    def stages(self, run_id: int) -> tuple[StageRun, ...]:
        """The stages of a run as their rows say, in the order of its file."""
        return self._read(stages_of, run_id)

    def rollback(self, rollback_id: int) -> RollbackEvent:
        """The rollback. Raises NotFound."""
        return self._read(rollbacks.read, rollback_id)

    def rollbacks(self, run_id: int) -> tuple[RollbackEvent, ...]:
        """The rollbacks of a run, oldest first."""
        newest_first = self._database.read(
            partial(rollbacks.list_events, run_id=run_id, limit=1000)
        )
        return newest_first[::-1]

    def left_rollbacks(self, run_id: int) -> tuple[RollbackEvent, ...]:
        """The rollbacks of a run that have not ended, oldest first."""
        return tuple(one for one in self.rollbacks(run_id) if one.status not in ENDED_ROLLBACKS)

    def steps(self, rollback_id: int) -> tuple[RollbackStep, ...]:
        """The steps of a rollback, in their order."""
        return self._read(steps_of, rollback_id)

    def decisions(self, run_id: int, stage_name: str) -> tuple[ApprovalRecord, ...]:
        """What people decided on a stage, oldest first."""
        known = self._read(approvals_of, run_id)
        return tuple(one for one in known if one.stage_name == stage_name)

    def is_alive(self, owner: int | None) -> bool:
        """Whether the executor of that epoch lives."""
        return is_alive(self._database.files, owner)

    def owner(self, epoch: int | None) -> str:
        """The executor of that epoch as a sentence names it."""
        known = self._database.read(partial(read_owner, epoch=epoch))
        return named(self._database.files, known)

    def boot(self, epoch: int | None) -> str:
        """In which start of the system the executor of that epoch worked here; "" if unknown.

        So it is where nothing of it is beside this database: what it started, its original knows.
        """
        owner = self._database.read(partial(read_owner, epoch=epoch))
        if owner is None:
            return ""
        files = self._database.files
        left = (files.owner_lock(owner.epoch), files.host(owner.epoch))
        return owner.boot_id if any(path.exists() for path in left) else ""

    def context(self, run: Run) -> RunContext:
        """What does not change about a run, with those of its secrets that can be read now."""
        pipeline = self._pipeline(run)
        secrets = secrets_of_pipeline(pipeline, run.pipeline_dir or run.workdir)
        return RunContext(
            run=replace(run, trigger=secrets.unsealed_trigger(run.trigger)),
            pipeline=pipeline,
            graph=StageGraph.of(pipeline.stages),
            secrets=secrets,
        )

    def secrets(self, run: Run) -> Secrets:
        """Those of the run's secrets that can be read now."""
        return secrets_of_pipeline(self._pipeline(run), run.pipeline_dir or run.workdir)

    def _pipeline(self, run: Run) -> Pipeline:
        return self._database.read(partial(read_definition, digest=run.definition_hash))

    def instructions(self, context: RunContext) -> Instructions:
        """Instructions with what the stages of the run put out so far, secrets included."""
        return Instructions(context, self._executor, self._read(outputs_of, context.id))

    def attempts(self, context: RunContext, left: LeftWork | None = None) -> Attempts:
        """What has the stages of the run done.

        `left` is what was taken back from a dead executor.
        """
        permission = StartPermission(self._executor, context.id)
        attempts = Attempts(self.instructions(context), permission)
        if left is not None:
            attempts.left, attempts.unstarted = left.processes, left.unstarted
        return attempts

    def running(self, run: Run, events: Iterable[RollbackEvent]) -> dict[str, int]:
        """The attempts under way of a run's stages, and of the undos of `events`, by their keys."""
        key_of = self.instructions(self.context(run)).idempotency_key
        found = {
            key_of(stage.stage_name): stage.attempt
            for stage in self.stages(run.id)
            if stage.status is StageStatus.RUNNING
        }
        for event in events:
            for step in self.steps(event.id or 0):
                if step.status is StepStatus.RUNNING:
                    found[key_of(step.part, event.id)] = step.attempt
        return found

    def session(
        self, run: Run, left: LeftWork | None = None, *, starts_stages: bool = True
    ) -> RunSession:
        """A session that goes on from where the run stands, with what was taken back.

        One that starts stages needs all the secrets of the run. Raises CannotStart without.
        """
        context = self.context(run)
        if starts_stages and not run.simulated:
            check_complete(context.secrets)
        considered = self._read(considered_stages, run.id)
        decided = self._read(approvals_of, run.id)
        attempts = self.attempts(context, left)
        return RunSession(self._executor, context, attempts, considered, decided)

    def remove_outputs(self, run_id: int) -> None:
        """Remove what attempts put out that nobody saw end: it may hold secrets.

        Only for a run that has ended; of its rollbacks those count that have ended too.
        """
        files = self._database.files
        logs = [
            files.log(run_id, stage.stage_name, attempt)
            for stage in self.stages(run_id)
            for attempt in range(1, stage.attempt + 1)
        ]
        logs += [
            files.undo_log(run_id, event.id or 0, step.part, attempt)
            for event in self.rollbacks(run_id)
            if event.status in ENDED_ROLLBACKS
            for step in self.steps(event.id or 0)
            for attempt in range(1, step.attempt + 1)
        ]
        for log in logs:
            remove_outputs(log)

    def _read(self, query: Callable[[Connection, int], T], identity: int) -> T:
        return self._database.read(lambda connection: query(connection, identity))
