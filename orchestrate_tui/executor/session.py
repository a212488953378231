"""One run being worked on, from its first stage to its last.

Everything that happens (an attempt ended, somebody approved, a delay is over) is posted to the
session and handled in turns: handle what was posted, let the scheduler hand out what is free,
commit all of it at once, then act on it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from orchestrate_tui.agents.contract import Outcome
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.pipeline import OnFailure, Stage
from orchestrate_tui.domain.run import ApprovalRecord, Decision, StageRun
from orchestrate_tui.domain.status import RollbackTriggerType, RunStatus, StageStatus
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.gate import ApprovalGate, approves_by_expiry
from orchestrate_tui.executor.mailbox import Mailbox
from orchestrate_tui.executor.requests import Request
from orchestrate_tui.executor.rollback import RollbackRunner
from orchestrate_tui.executor.rollback_queue import RollbackQueue
from orchestrate_tui.executor.scheduler import Scheduler
from orchestrate_tui.executor.turn import Turn
from orchestrate_tui.store.runs import StageChange, change_run

NOTHING = Outcome(succeeded=True)

NOT_STARTED = "not started: "
"""How the reason of a stage begins that the end of its run skipped, not its condition."""


class RunSession:
    """Works on one run; `run` returns when its end is committed."""

    def __init__(
        self,
        executor: ExecutorContext,
        context: RunContext,
        attempts: Attempts,
        stages: Sequence[StageRun],
        decided: Iterable[ApprovalRecord] = (),
    ) -> None:
        self.context = context
        self.executor = executor
        self.attempts = attempts
        self._stages = {stage.name: stage for stage in context.pipeline.stages}
        self._status = {stage.stage_name: stage.status for stage in stages}
        self._attempt = {stage.stage_name: stage.attempt for stage in stages}
        self._requested_at = {stage.stage_name: stage.requested_at for stage in stages}
        self.scheduler = Scheduler(context.graph, context.pipeline.max_parallel)
        self.gate = ApprovalGate(executor, simulated=context.run.simulated, decided=decided)
        self.rollbacks = RollbackQueue(
            RollbackRunner(executor, context, attempts, self.stop_stages), self.post
        )
        self._running: dict[str, anyio.CancelScope] = {}
        self._delays: dict[str, anyio.CancelScope] = {}
        self._stop_reasons: dict[str, str] = {}
        self._verdict, self._reason = RunStatus.SUCCEEDED, ""
        self._mailbox = Mailbox()
        self._requests: list[Request] = []
        self.turn = Turn(context.id, executor.epoch)
        self._turn_ended = anyio.Event()
        self.tasks: TaskGroup

    # Turns

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` made at the beginning of the next turn."""
        self._mailbox.post(call)

    def post_request(self, request: Request, serve: Callable[[], None]) -> None:
        """Have a request served in a turn in which nothing was decided before it."""
        self._requests.append(request)
        self._mailbox.post_request(serve)

    def refuse_requests(self, error: OrchestrateError) -> None:
        """Refuse what was asked and not answered; nobody works on the run any more."""
        for request in self._requests:
            if not request.is_answered:
                request.fail(error)

    async def run(self) -> None:
        """Work until the run has ended. Raises StoreError or StaleTransition when it cannot."""
        async with anyio.create_task_group() as self.tasks:
            if self.context.run.status is not RunStatus.RUNNING:
                self._change_run(self.context.run.status, RunStatus.RUNNING)
                await self._end_turn()
            self._mailbox.handle()
            while True:
                self._advance()
                if self._has_ended():
                    self._change_run(RunStatus.RUNNING, self._verdict, self._reason)
                    await self._end_turn()
                    return
                await self._end_turn()
                await self._mailbox.wait()
                self._mailbox.handle()

    async def _end_turn(self) -> None:
        turn, self.turn = self.turn, Turn(self.context.id, self.executor.epoch)
        if not turn.is_empty:
            await self.executor.commit(turn.apply, *turn.told())
        for act in turn.afterwards:
            act()
        self._turn_ended.set()
        self._turn_ended = anyio.Event()

    def _advance(self) -> None:
        while (name := self.scheduler.take_freed()) is not None:
            self._look_at(self._stages[name])
        while (name := self.scheduler.take_ready()) is not None:
            self._start(self._stages[name])
        if self.rollbacks.take_next():
            self._afterwards(self.rollbacks.carry_out)

    def _has_ended(self) -> bool:
        under_way = self._running or self._delays or self.gate.is_busy or self.rollbacks.is_busy
        return not under_way and self._mailbox.is_empty

    def _change_run(self, expected: RunStatus, status: RunStatus, reason: str = "") -> None:
        change = partial(
            change_run,
            run_id=self.context.id,
            epoch=self.executor.epoch,
            expected=expected,
            status=status,
            at=self.executor.clock(),
            reason=reason,
        )
        self.turn.others.append(change)

    def _change(
        self,
        stage: Stage,
        status: StageStatus,
        *,
        reason: str = "",
        outcome: Outcome = NOTHING,
        actor: str = "",
    ) -> None:
        change = StageChange(
            stage_name=stage.name,
            position=self.context.graph.position[stage.name],
            expected=self._status[stage.name],
            status=status,
            at=self.executor.clock(),
            attempt=self._attempt[stage.name],
            reason=reason or outcome.reason,
            exit_code=outcome.exit_code,
            actor=actor,
            outputs=outcome.outputs,
        )
        self._status[stage.name] = status
        self.turn.stages.append(change)

    # Stages

    def _look_at(self, stage: Stage) -> None:
        """Take a stage whose dependencies have ended well one step on.

        In a run that another executor left, it may be further than pending.
        """
        match self._status[stage.name]:
            case StageStatus.PENDING:
                self._consider(stage)
            case StageStatus.WAITING_APPROVAL:
                self._await_approval(stage)
            case StageStatus.RETRYING | StageStatus.INTERRUPTED:
                self.scheduler.make_ready(stage.name)
            case StageStatus.SUCCEEDED | StageStatus.SKIPPED:
                self.scheduler.end_well((stage.name,))
            case StageStatus.FAILED if stage.on_failure is OnFailure.CONTINUE:
                self.scheduler.end_well((stage.name,))
            case _:
                pass

    def _consider(self, stage: Stage) -> None:
        """Skip a stage, ask for its approval, or let it start."""
        given = self.context.run.trigger.circumstances(self.attempts.values)
        reason = stage.when.unmet(given) if stage.when else None
        if reason is not None:
            self._change(stage, StageStatus.SKIPPED, reason=reason)
            self.scheduler.end_well((stage.name,))
        elif stage.approval is not None:
            self._change(stage, StageStatus.WAITING_APPROVAL)
            self._requested_at[stage.name] = self.executor.clock()
            self._await_approval(stage)
        else:
            self.scheduler.make_ready(stage.name)

    def _start(self, stage: Stage) -> None:
        self._attempt[stage.name] += 1
        self.gate.leave(stage.name)
        self._change(stage, StageStatus.RUNNING)
        self._running[stage.name] = anyio.CancelScope()
        self._afterwards(self._perform, stage, self._attempt[stage.name])

    async def _perform(self, stage: Stage, attempt: int) -> None:
        outcome: Outcome | None = None
        with self._running[stage.name]:
            outcome = await self.attempts.perform_stage(stage, attempt)
        self.post(partial(self._note_outcome, stage, outcome))

    def _note_outcome(self, stage: Stage, outcome: Outcome | None) -> None:
        """Decide what the end of an attempt means; None means that it was cancelled."""
        del self._running[stage.name]
        self.scheduler.free_place()
        stop_reason = self._stop_reasons.pop(stage.name, "cancelled")
        if outcome is None:
            self._change(stage, StageStatus.CANCELLED, reason=stop_reason)
        elif outcome.succeeded:
            self._change(stage, StageStatus.SUCCEEDED, outcome=outcome)
            self.attempts.add_outputs(stage.name, outcome.outputs)
            self.scheduler.end_well((stage.name,))
        elif self._attempt[stage.name] < stage.retry.attempts and not self.scheduler.is_closed:
            self._change(stage, StageStatus.RETRYING, outcome=replace(outcome, outputs=()))
            self._delay(stage)
        else:
            self._fail(stage, outcome)

    def _fail(self, stage: Stage, outcome: Outcome) -> None:
        self._change(stage, StageStatus.FAILED, outcome=outcome)
        self.attempts.add_outputs(stage.name, outcome.outputs)
        if stage.on_failure is OnFailure.CONTINUE:
            self.scheduler.end_well((stage.name,))
            return
        reason = f"stage '{stage.name}' failed: {outcome.reason}"
        self._queue_automatic(stage, reason)
        self.halt(reason)

    def _delay(self, stage: Stage) -> None:
        self._delays[stage.name] = anyio.CancelScope()
        seconds = stage.retry.delay_before(self._attempt[stage.name] + 1)
        self._afterwards(self._wait, self._delays[stage.name], seconds, self._retry, stage)

    def _retry(self, stage: Stage) -> None:
        if self._delays.pop(stage.name, None) is not None:
            self.scheduler.make_ready(stage.name)

    async def _wait(
        self, scope: anyio.CancelScope, seconds: float, then: Callable[[Stage], None], stage: Stage
    ) -> None:
        with scope:
            await anyio.sleep(seconds)
            self.post(partial(then, stage))

    def _afterwards(
        self, task: Callable[..., Coroutine[Any, Any, None]], *arguments: object
    ) -> None:
        """Start a task once this turn is committed."""
        self.turn.afterwards.append(partial(self.tasks.start_soon, task, *arguments))

    # Approvals

    def _await_approval(self, stage: Stage) -> None:
        """Let a stage wait for people, until its approval expires."""
        if not self.gate.missing(stage):
            self.scheduler.make_ready(stage.name)
            return
        scope = self.gate.enter(stage)
        timeout_s = stage.approval.timeout_s if stage.approval else None
        requested_at = self._requested_at[stage.name]
        if timeout_s is not None and requested_at is not None:
            waited_s = (self.executor.clock() - requested_at).total_seconds()
            left_s = max(timeout_s - waited_s, 0.0)
            self._afterwards(self._wait, scope, left_s, self._expire, stage)

    def decide(self, request: Request, decision: Decision) -> str:
        """Record a decision on a waiting stage and say what it did. Raises Refused."""
        stage = self.gate.decide(request.payload["stage"], decision, request, self.turn)
        where = f"stage '{stage.name}' of run {self.context.id}"
        if decision is Decision.REJECTED:
            self._reject(stage, request)
            return f"Rejected {where}"
        if missing := self.gate.missing(stage):
            return f"Approved {where}; {missing} more to go"
        self.gate.leave(stage.name)
        self.scheduler.make_ready(stage.name)
        return f"Approved {where}"

    def _reject(self, stage: Stage, request: Request) -> None:
        comment = request.payload.get("comment", "")
        reason = f"rejected by {request.actor}" + (f": {comment}" if comment else "")
        self.gate.leave(stage.name)
        self._change(stage, StageStatus.REJECTED, reason=reason, actor=request.actor)
        self._queue_automatic(stage, f"stage '{stage.name}' was {reason}")
        self.halt(f"stage '{stage.name}' was {reason}")

    def _expire(self, stage: Stage) -> None:
        if not self.gate.is_waiting(stage.name):
            return
        self.gate.leave(stage.name)
        if approves_by_expiry(stage):
            self.scheduler.make_ready(stage.name)
            return
        self._change(stage, StageStatus.REJECTED, reason="the approval expired")
        self.halt(f"the approval of stage '{stage.name}' expired")

    # The end of a run before its last stage

    def halt(self, reason: str, verdict: RunStatus = RunStatus.FAILED) -> None:
        """Start nothing more: what waits is skipped, what runs may finish.

        Under `fail_fast` what makes a run fail cancels what runs, too.
        """
        if self.scheduler.is_closed:
            return
        self.scheduler.close()
        self._verdict, self._reason = verdict, reason
        for name, stage in self._stages.items():
            match self._status[name]:
                case StageStatus.PENDING | StageStatus.WAITING_APPROVAL:
                    self.gate.leave(name)
                    self._change(stage, StageStatus.SKIPPED, reason=NOT_STARTED + reason)
                case StageStatus.INTERRUPTED:
                    self._change(stage, StageStatus.CANCELLED, reason=f"not resumed: {reason}")
                case StageStatus.RETRYING:
                    self._drop_retry(stage, f"not tried again: {reason}")
                case _:
                    pass
        if self.context.pipeline.fail_fast and verdict is RunStatus.FAILED:
            self._cancel_running(self._running, reason)

    def _drop_retry(self, stage: Stage, reason: str) -> None:
        if (delay := self._delays.pop(stage.name, None)) is not None:
            delay.cancel()
        if self._verdict is RunStatus.CANCELLED:
            self._change(stage, StageStatus.CANCELLED, reason=reason)
            return
        self._change(stage, StageStatus.FAILED, reason=reason)
        self._queue_automatic(stage, f"stage '{stage.name}' failed and was {reason}")

    def stop(self, reason: str) -> None:
        """Start nothing more, and cancel what runs."""
        self.halt(reason, RunStatus.CANCELLED)
        self._cancel_running(self._running, reason)

    async def stop_stages(self, names: Iterable[str], reason: str) -> None:
        """Cancel those of `names` that run; returns when their end is committed."""
        wanted = frozenset(names)
        self._cancel_running(wanted, reason)
        while not wanted.isdisjoint(self._running):
            await self._turn_ended.wait()

    def _cancel_running(self, names: Iterable[str], reason: str) -> None:
        for name in names:
            if name in self._running and name not in self._stop_reasons:
                self._stop_reasons[name] = reason
                self._running[name].cancel()

    def _queue_automatic(self, stage: Stage, reason: str) -> None:
        """Record an automatic rollback; it is carried out when no other one is under way."""
        if stage.rollback_target is None:
            return
        event = RollbackEvent(
            run_id=self.context.id,
            failed_stage_name=stage.name,
            rollback_to_stage=stage.rollback_target,
            trigger_type=RollbackTriggerType.AUTOMATIC,
            reason=reason,
            created_at=self.executor.clock(),
            epoch=self.executor.epoch,
        )
        self.rollbacks.insert(event, self.turn)
