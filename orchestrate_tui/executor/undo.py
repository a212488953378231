"""The steps of one rollback: each starts when those before it are done, and is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import anyio

from orchestrate_tui.agents.contract import Outcome
from orchestrate_tui.domain.events import RollbackEvent, RollbackStep, failed_steps
from orchestrate_tui.domain.pipeline import Stage, Undo
from orchestrate_tui.domain.rollback import step_predecessors, undo_of
from orchestrate_tui.domain.rollback_plan import PlanStep
from orchestrate_tui.domain.status import SETTLED_STEPS, StepStatus
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.instructions import NOT_NEEDED
from orchestrate_tui.executor.operator_desk import OperatorDesk, has_operator
from orchestrate_tui.store import rollback_steps
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.definitions import decode_plan
from orchestrate_tui.store.history import steps_of
from orchestrate_tui.store.rollback_steps import begin_waiting, decide_step
from orchestrate_tui.store.undone import mark_rolled_back

Decided = tuple[Callable[[Connection], None], Callable[[], None]]
"""What records a decision, for whoever has a transaction, and what acts on it afterwards."""


class StepRunner:
    """Runs the recorded steps of a rollback that are not done yet."""

    def __init__(
        self,
        executor: ExecutorContext,
        context: RunContext,
        attempts: Attempts,
        event: RollbackEvent,
    ) -> None:
        self._executor = executor
        self._context = context
        self._attempts = attempts
        self._event = event
        plan = decode_plan(event.plan)
        assert plan is not None  # noqa: S101  (a rollback is running only with its plan)
        self._plan = plan
        self._problems: list[str] = []
        self._halted = ""
        self._desk = OperatorDesk(event)
        self._scopes: set[anyio.CancelScope] = set()
        self._places = anyio.CapacityLimiter(context.pipeline.max_parallel)
        self._stages = {stage.name: stage for stage in context.pipeline.stages}

    @property
    def rollback_id(self) -> int:
        """The rollback whose steps these are."""
        return self._event.id or 0

    def halt(self, sentence: str) -> None:
        """Stop the undos that run, start no other, and wait for no decision."""
        self._halted = sentence
        self._desk.give_up()
        for scope in self._scopes:
            scope.cancel()

    def decide(self, decision: StepDecision) -> Decided:
        """What records a decision about a step that waits, and what acts on it after the commit.

        Raises Refused when no such step waits.
        """
        step, go_on = self._desk.take(decision)
        commit = partial(
            decide_step,
            step=step,
            decision=decision,
            at=self._executor.clock(),
            epoch=self._executor.epoch,
        )
        return commit, go_on

    def take_back(self, decision: StepDecision) -> None:
        """Wait on where a decision was made that could not be recorded."""
        self._desk.take_back(decision)

    async def run(self) -> str:
        """Run the steps; returns "" when all are settled, else the sentence that names the step.

        After a step that failed no other starts, unless the operator decides how it goes on.
        """
        steps = self._executor.database.read(partial(steps_of, rollback_id=self.rollback_id))
        if self._event.waiting_since is not None:
            for failed in failed_steps(steps):
                self._desk.lay(failed)
        if self._halted:
            self._desk.give_up()
        before = step_predecessors(self._context.pipeline, self._context.graph, self._plan)
        done = [anyio.Event() for _ in steps]
        async with anyio.create_task_group() as tasks:
            for step, planned in zip(steps, self._plan.steps, strict=True):
                waits_for = [done[position] for position in before[step.position]]
                tasks.start_soon(self._in_turn, step, planned, waits_for, done[step.position])
        return "; ".join(self._problems)

    async def _in_turn(
        self,
        step: RollbackStep,
        planned: PlanStep,
        waits_for: list[anyio.Event],
        done: anyio.Event,
    ) -> None:
        for earlier in waits_for:
            await earlier.wait()
        async with self._places:
            if step.status not in SETTLED_STEPS and step.position not in self._desk:
                await self._desk.until_empty()
            if not self._problems:
                await self._take(step, planned)
        done.set()

    async def _take(self, step: RollbackStep, planned: PlanStep) -> None:
        """Do a step that is due until it is settled, or note what is wrong with it."""
        while step.status not in SETTLED_STEPS:
            if step.status is not StepStatus.FAILED:
                if self._halted:
                    await self._leave(step)
                    return
                step = await self._undo(step, planned)
            elif (decided := await self._decided(step)) is not None:
                step = decided
            else:
                because = "; ".join(filter(None, (step.error_message, self._stopped(step))))
                self._problems.append(f"step '{step.part}' failed: {because}")
                return

    async def _decided(self, step: RollbackStep) -> RollbackStep | None:
        """A step that failed as the operator decides; None where nobody does."""
        return await self._desk.decided(step) if step.position in self._desk else None

    def _stopped(self, step: RollbackStep) -> str:
        """The halt that ended the wait for a decision; "" where the failure tells of it."""
        return "" if step.error_message == self._halted else self._halted

    async def _leave(self, step: RollbackStep) -> None:
        """Start a step no more, because of a halt."""
        self._problems.append(f"{self._halted}, before step '{step.part}'")
        if step.status is StepStatus.RETRYING:
            outcome = Outcome(succeeded=False, reason=self._halted)
            await self._change(step, StepStatus.FAILED, outcome)

    async def _undo(self, step: RollbackStep, planned: PlanStep) -> RollbackStep:
        """Undo one stage, with its retries; returns the step as that ended."""
        if step.status is StepStatus.INTERRUPTED and not self._may_repeat(step, planned):
            problem = "it was interrupted and is not marked idempotent"
            return await self._end(step, Outcome(succeeded=False, reason=problem))
        stage = self._stages[step.stage_name]
        undo: Undo | None = Undo(task="")
        if planned.task:
            undo = undo_of(stage, self._plan.target, has_rollback_agent=True)
        if undo is None:
            problem = "its undo is not in the definition of the run"
            return replace(step, status=StepStatus.FAILED, error_message=problem)
        step, outcome = await self._try(step, partial(self._perform, stage, undo, planned), undo)
        return await self._end(step, outcome)

    def _waits(self) -> bool:
        """Whether there is, or may be, an operator to decide how it goes on."""
        return self._event.waits or has_operator(self._executor)

    async def _end(self, step: RollbackStep, outcome: Outcome) -> RollbackStep:
        """Record how a step ended; one that failed waits for the operator, if there is one."""
        status = StepStatus.SUCCEEDED if outcome.succeeded else StepStatus.FAILED
        ended = replace(
            step, status=status, exit_code=outcome.exit_code, error_message=outcome.reason
        )
        if status is StepStatus.FAILED and not self._halted and self._waits():
            self._desk.lay(ended)
        await self._change(step, status, outcome, is_waiting=ended.position in self._desk)
        return ended

    def _may_repeat(self, step: RollbackStep, planned: PlanStep) -> bool:
        """Whether an interrupted step may be gone on with, or done again."""
        identity = (step.part, step.attempt, self.rollback_id)
        is_known = self._attempts.is_left(*identity) or self._attempts.is_unstarted(*identity)
        undo = self._stages[step.stage_name].rollback
        return planned.idempotent or is_known or bool(undo and undo.check)

    async def _try(
        self, step: RollbackStep, perform: Callable[[int], Awaitable[Outcome]], undo: Undo
    ) -> tuple[RollbackStep, Outcome]:
        """Try an undo as often as it may be tried, or until a halt."""
        outcome = Outcome(succeeded=False)
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            for tried in range(undo.retry.attempts):
                if tried:
                    await anyio.sleep(undo.retry.delay_before(tried + 1))
                if not self._attempts.is_left(step.part, step.attempt, self.rollback_id):
                    step = replace(step, attempt=step.attempt + 1)
                await self._change(step, StepStatus.RUNNING)
                step = replace(step, status=StepStatus.RUNNING)
                outcome = await perform(step.attempt)
                if outcome.succeeded:
                    break
        self._scopes.discard(scope)
        if scope.cancelled_caught:
            outcome = Outcome(succeeded=False, reason=self._halted)
        return step, outcome

    async def _perform(self, stage: Stage, undo: Undo, planned: PlanStep, attempt: int) -> Outcome:
        is_left = self._attempts.is_left(planned.part, attempt, self.rollback_id)
        if undo.check and not is_left:
            asked = await self._attempts.ask_check(stage, undo, planned, self._event, attempt)
            if not asked.succeeded:
                return replace(asked, reason=f"its check failed: {asked.reason}")
            if asked.exit_code == NOT_NEEDED:
                return Outcome(succeeded=True, reason="not needed, says its check")
        return await self._attempts.perform_undo(stage, undo, planned, self._event, attempt)

    async def _change(
        self,
        step: RollbackStep,
        status: StepStatus,
        outcome: Outcome | None = None,
        *,
        is_waiting: bool = False,
    ) -> None:
        at = self._executor.clock()

        def change(connection: Connection) -> None:
            rollback_steps.change_step(
                connection,
                self._context.id,
                step,
                status,
                at,
                epoch=self._executor.epoch,
                exit_code=outcome.exit_code if outcome else None,
                error_message=outcome.reason if outcome else "",
            )
            if is_waiting and outcome is not None:
                sentence = f"step '{step.part}' failed: {outcome.reason}"
                begin_waiting(connection, self.rollback_id, sentence, at)
            if status is StepStatus.SUCCEEDED:
                mark_rolled_back(
                    connection,
                    self._context.id,
                    step.stage_name,
                    self.rollback_id,
                    at,
                    component=step.component,
                )

        await self._executor.commit(
            change,
            Change(
                run_id=self._context.id, stage_name=step.stage_name, rollback_id=self.rollback_id
            ),
        )
