"""Runs that nobody works on: rolling back ended ones, taking up what an executor left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import anyio

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.pipeline import OnFailure
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, RunStatus, StageStatus
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.inbox import watch
from orchestrate_tui.executor.rollback import RollbackRunner
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.commands import (
    Command,
    CommandKind,
    CommandStatus,
    answer_command,
)
from orchestrate_tui.store.connection import Connection

_HALTING = frozenset({StageStatus.REJECTED, StageStatus.CANCELLED, StageStatus.ROLLED_BACK})


class EndedRunRollback:
    """Carries out one rollback of a run that has ended."""

    def __init__(
        self, executor: ExecutorContext, context: RunContext, attempts: Attempts, rollback_id: int
    ) -> None:
        self._executor = executor
        self._run_id = context.id
        self.rollback_id = rollback_id
        self._runner = RollbackRunner(executor, context, attempts)
        self._tasks = anyio.create_task_group()

    async def run(self) -> RollbackEvent:
        """Carry it out to its end; only an operator's halt stops it."""
        with anyio.CancelScope(shield=True):
            async with self._tasks:
                self._tasks.start_soon(watch, self._executor, self._run_id, self._serve)
                event = await self._runner.carry_out(self.rollback_id)
                self._tasks.cancel_scope.cancel()
        return event

    def halt(self, actor: str, reason: str) -> str:
        """Stop it at its present step."""
        self._runner.halt(self.rollback_id, actor, reason)
        return f"Rollback {self.rollback_id} is being halted"

    def _serve(self, command: Command) -> None:
        if command.kind is CommandKind.HALT:
            answer = self.halt(command.actor, command.payload.get("reason", ""))
            status = CommandStatus.DONE
        else:
            answer = f"Run {self._run_id} has ended and is being rolled back"
            status = CommandStatus.REFUSED
        record = partial(
            answer_command,
            command=command,
            status=status,
            outcome=answer,
            at=self._executor.clock(),
        )
        self._tasks.start_soon(self._executor.commit, record)


def left_rollbacks(connection: Connection, run_id: int) -> tuple[RollbackEvent, ...]:
    """The rollbacks of a run that have not ended, oldest first."""
    events = rollbacks.list_events(connection, run_id, limit=1000)
    return tuple(event for event in reversed(events) if event.status not in ENDED_ROLLBACKS)


def adopt(connection: Connection, events: Iterable[RollbackEvent], epoch: int) -> None:
    """Become the one who carries these rollbacks out."""
    for event in events:
        rollbacks.update(connection, replace(event, epoch=epoch))


def take_up(session: RunSession, stages: Iterable[StageRun], left: Iterable[RollbackEvent]) -> None:
    """Prepare a session to go on where another executor stopped.

    A run that was ending starts nothing more; its rollbacks go on.
    """
    verdict, reason = _ending(session.context, stages)
    for event in left:
        session.rollbacks.restore(event.id or 0)
        verdict = verdict or RunStatus.FAILED
        reason = reason or event.reason
    if verdict is not None:
        session.halt(reason, verdict)


def _ending(context: RunContext, stages: Iterable[StageRun]) -> tuple[RunStatus | None, str]:
    """How the run was about to end when its executor died; None when it was going on."""
    for stage in stages:
        definition = context.pipeline.stage(stage.stage_name)
        is_allowed = definition is not None and definition.on_failure is OnFailure.CONTINUE
        if stage.status is StageStatus.CANCELLED:
            return RunStatus.CANCELLED, stage.reason
        if stage.status in _HALTING or (stage.status is StageStatus.FAILED and not is_allowed):
            return RunStatus.FAILED, f"stage '{stage.stage_name}' {stage.status}: {stage.reason}"
    return None, ""
