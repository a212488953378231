"""Carries out a rollback of a run that has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import anyio
from anyio.abc import TaskGroup

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import Fenced, OrchestrateError, Refused
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.endurance import single_errors, to_the_end
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.inbox import refuse_commands, watch
from orchestrate_tui.executor.requests import rollback_has_ended
from orchestrate_tui.executor.rollback import RollbackRunner
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.commands import (
    Command,
    CommandKind,
    CommandStatus,
    answer_command,
)
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import check_carried, check_carrier
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True)
class _Served:
    """What becomes of a command: what is recorded with its answer, and done afterwards."""

    answer: str
    status: CommandStatus = CommandStatus.DONE
    change: Callable[[Connection], None] = lambda _connection: None
    act: Callable[[], None] = lambda: None


class EndedRunRollback:
    """One rollback of a run that has ended; only an operator's halt stops it."""

    def __init__(
        self, executor: ExecutorContext, context: RunContext, attempts: Attempts, rollback_id: int
    ) -> None:
        self._executor = executor
        self._run_id = context.id
        self._secrets = context.secrets
        self.rollback_id = rollback_id
        self._runner = RollbackRunner(executor, context, attempts)
        self._tasks: TaskGroup

    async def run(self) -> RollbackEvent:
        """Carry it out to its end, whatever becomes of the caller; returns it as it ended."""
        try:
            return await to_the_end(self._run)
        except Fenced as fenced:
            self._executor.hub.warn(str(fenced))
            raise

    async def _run(self) -> RollbackEvent:
        with single_errors():
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(
                    watch, self._executor, self._run_id, self._serve, self._check
                )
                event = await self._runner.carry_out(self.rollback_id)
                self._tasks.cancel_scope.cancel()
        await refuse_commands(self._executor, self._run_id, str(rollback_has_ended(event)))
        return event

    def _check(self, connection: Connection) -> None:
        is_ours = check_carried if self._runner.is_under_way else check_carrier
        is_ours(connection, self.rollback_id, self._executor.epoch)

    def halt(self, rollback_id: int, actor: str, reason: str) -> str:
        """Stop it at its present step. Raises Refused for another rollback than this one."""
        if rollback_id != self.rollback_id:
            raise Refused(f"Rollback {rollback_id} is not under way")
        self._runner.halt(self.rollback_id, actor, reason)
        return f"Rollback {self.rollback_id} is being halted"

    async def decide(self, rollback_id: int, decision: StepDecision) -> str:
        """Decide about a step that waits; what that did. Raises Refused when none does."""
        served = self._decided(rollback_id, decision)
        try:
            await self._executor.commit(served.change, self._told)
        except OrchestrateError:
            self._runner.take_back(decision)
            raise
        served.act()
        return served.answer

    def _decided(self, rollback_id: int, decision: StepDecision) -> _Served:
        change, act = self._runner.decide(rollback_id, decision)
        sentence = f"Rollback {rollback_id} goes on: {decision.sentence}"
        return _Served(sentence, change=change, act=act)

    def _serve(self, command: Command) -> None:
        """Do what another process asks, and answer it in the same transaction."""
        try:
            served = self._obey(command, self._secrets.masked_payload(command.payload))
        except Refused as refusal:
            served = _Served(str(refusal), CommandStatus.REFUSED)
        self._tasks.start_soon(self._answer, command, served)

    def _obey(self, command: Command, payload: Mapping[str, str]) -> _Served:
        match command.kind:
            case CommandKind.HALT:
                reason = payload.get("reason", "")
                return _Served(self.halt(int(payload["rollback"]), command.actor, reason))
            case CommandKind.STEP:
                decision = StepDecision.from_payload(payload, command.actor)
                return self._decided(int(payload["rollback"]), decision)
            case _:
                read = partial(rollbacks.read, rollback_id=self.rollback_id)
                actor = self._executor.database.read(read).actor
                by = f" by {actor}" if actor else ""
                raise Refused(f"Run {self._run_id} has ended and is being rolled back{by}")

    async def _answer(self, command: Command, served: _Served) -> None:
        def record(connection: Connection) -> None:
            check_carrier(connection, self.rollback_id, self._executor.epoch)
            served.change(connection)
            answer_command(
                connection, command, served.status, served.answer, self._executor.clock()
            )

        await self._executor.commit(record, self._told)
        served.act()

    @property
    def _told(self) -> Change:
        return Change(run_id=self._run_id, rollback_id=self.rollback_id)
