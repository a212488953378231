"""The steps of a rollback that failed and wait for what the operator decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio

from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
from orchestrate_tui.domain.presence import Mode
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.attendance import present
from orchestrate_tui.values import dataclass


@dataclass(slots=True)
class _Case:
    """A step that waits, and what was decided about it."""

    step: RollbackStep
    settled: anyio.Event
    decision: StepDecision | None = None


def has_operator(executor: ExecutorContext) -> bool:
    """Whether somebody is there who could decide how a rollback goes on: see its `waits`."""
    if executor.waits:
        return True
    people = present(executor.database.files)
    return any(person.mode is Mode.CONSOLE for person in people)


def waits_for_nobody(rollback_id: int, run_id: int) -> Refused:
    """Why nothing can be decided about the steps of a rollback."""
    return Refused(
        f"No step of rollback {rollback_id} waits for a decision",
        next_step=f"See what it does with: orchestrate-tui show {run_id}; stop it with:"
        f" orchestrate-tui rollback-step {rollback_id} halt --reason TEXT",
    )


class OperatorDesk:
    """Holds what waits for a decision, by the position of the step; belongs to one event loop."""

    def __init__(self, event: RollbackEvent) -> None:
        self._event = event
        self._cases: dict[int, _Case] = {}
        self._emptied = anyio.Event()

    def __contains__(self, position: object) -> bool:
        return position in self._cases

    def lay(self, step: RollbackStep) -> None:
        """Have a step that failed wait for the operator."""
        self._cases[step.position] = _Case(step, anyio.Event())

    async def decided(self, step: RollbackStep) -> RollbackStep | None:
        """Wait for what becomes of a step that was laid; None when nobody decides any more."""
        case = self._cases[step.position]
        await case.settled.wait()
        del self._cases[step.position]
        if not self._cases:
            self._emptied.set()
            self._emptied = anyio.Event()
        if case.decision is None:
            return None
        status = case.decision.action.status
        return replace(step, status=status, error_message=case.decision.sentence)

    async def until_empty(self) -> None:
        """Wait until no step waits for the operator."""
        while self._cases:
            await self._emptied.wait()

    def take(self, decision: StepDecision) -> tuple[RollbackStep, Callable[[], None]]:
        """The step that a decision is about, and what lets it go on once that is committed.

        Raises Refused when no such step waits, or somebody has decided about it.
        """
        case = self._case(decision.stage_name)
        if case.decision is not None:
            raise Refused(f"Step '{case.step.part}' was decided before: {case.decision.sentence}")
        case.decision = decision
        return case.step, case.settled.set

    def take_back(self, decision: StepDecision) -> None:
        """Wait on where a decision was made that could not be recorded."""
        for case in self._cases.values():
            if case.decision is decision:
                case.decision = None

    def _case(self, stage_name: str) -> _Case:
        waiting = {case.step.part: case for case in self._cases.values()}
        if stage_name in waiting:
            return waiting[stage_name]
        if len(waiting) == 1 and not stage_name:
            return next(iter(waiting.values()))
        if waiting:
            raise Refused(
                f"These steps wait for a decision: {', '.join(waiting)}",
                next_step="Name one of them with --stage",
            )
        raise waits_for_nobody(self._event.id or 0, self._event.run_id)

    def give_up(self) -> None:
        """Wait for no decision any more; those that were made still count."""
        for case in self._cases.values():
            case.settled.set()
