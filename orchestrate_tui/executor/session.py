"""One run being worked on, from its first stage to its last.

Everything that happens (an attempt ended, somebody approved, a delay is over) is posted to the
session and handled in turns: handle what was posted, let the scheduler hand out what is free,
commit all of it at once, then act on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from orchestrate_tui.agents.contract import Outcome
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import spoken, to_text
from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.domain.pipeline import OnFailure, Stage
from orchestrate_tui.domain.run import ApprovalRecord, Decision, Settlement, StageRun
from orchestrate_tui.domain.status import RollbackTriggerType, RunStatus, StageStatus
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.gate import ApprovalGate, approves_by_expiry
from orchestrate_tui.executor.quarantine import Guard
from orchestrate_tui.executor.requests import Request
from orchestrate_tui.executor.rollback_queue import RollbackQueue
from orchestrate_tui.executor.scheduler import Scheduler
from orchestrate_tui.executor.stage_book import NOTHING, StageBook
from orchestrate_tui.executor.turns import Turns
from orchestrate_tui.executor.under_way import UnderWay
from orchestrate_tui.store.occasions import settle
from orchestrate_tui.store.runs import change_run

if TYPE_CHECKING:
    from orchestrate_tui.executor.rollback import RollbackRunner

NOT_STARTED = "not started: "
"""How the reason of a stage begins that the end of its run skipped, not its condition."""

MAY_NOT_START = "may not start"
"""How the reason of a stage begins that was refused; that ends the run as a failed one."""


class RunSession:
    """Works on one run; `run` returns when its end is committed.

    `considered` are its stages that are not pending any more. `is_under_way` holds from when its
    beginning is committed until its end is decided: meanwhile its row says the same.
    """

    def __init__(
        self,
        executor: ExecutorContext,
        context: RunContext,
        attempts: Attempts,
        considered: Iterable[StageRun],
        decided: Iterable[ApprovalRecord] = (),
    ) -> None:
        self.context = context
        self.executor = executor
        self.turns = Turns(executor, context.id)
        self.rollbacks = RollbackQueue(self._runner, self.turns.post)
        self._attempts = attempts
        self._instructions = attempts.instructions
        self._stages = context.stages
        self._book = StageBook(self._stages, considered, self.turns.moment, context.secrets)
        self._scheduler = Scheduler(context.graph, context.pipeline.max_parallel)
        self._gate = ApprovalGate(executor, simulated=context.run.simulated, decided=decided)
        self._under_way = UnderWay(attempts)
        self._quarantine = Guard(executor.database, context)
        self._delays: dict[str, anyio.CancelScope] = {}
        self._verdict, self._reason = RunStatus.SUCCEEDED, ""
        self.stopped = ""
        self.is_under_way = False

    def _runner(self) -> RollbackRunner:
        # what undoes takes longer to load than all else here, and most runs end well
        from orchestrate_tui.executor.rollback import RollbackRunner  # noqa: PLC0415

        return RollbackRunner(self.executor, self.context, self._attempts, self.stop_stages)

    async def run(self) -> None:
        """Work until the run has ended. Raises StoreError or StaleTransition when it cannot."""
        async with anyio.create_task_group() as self.turns.tasks:
            if self.context.run.status is not RunStatus.RUNNING:
                self._change_run(self.context.run.status, RunStatus.RUNNING)
                await self.turns.end()
            self.is_under_way = True
            self.turns.handle()
            self._advance()
            while not self._has_ended():
                await self.turns.end()
                await self.turns.next()
                self._advance()
            self.is_under_way = False
            self._change_run(RunStatus.RUNNING, self._verdict, self._reason)
            await self.turns.end()

    def _advance(self) -> None:
        while (name := self._scheduler.take_freed()) is not None:
            self._look_at(self._stages[name])
        while (name := self._scheduler.take_ready()) is not None:
            self._start(self._stages[name])
        if self.rollbacks.take_next():
            self.turns.afterwards(self.rollbacks.carry_out)

    def _has_ended(self) -> bool:
        is_waiting = self._delays or self._gate.is_busy or self.rollbacks.is_busy
        return self._under_way.is_empty and not is_waiting and self.turns.is_idle

    def _change_run(self, expected: RunStatus, status: RunStatus, reason: str = "") -> None:
        change = partial(
            change_run,
            run_id=self.context.id,
            epoch=self.executor.epoch,
            expected=expected,
            status=status,
            at=self.turns.moment(),
            reason=self.context.secrets.masked(reason),
        )
        self.turns.present.others.append(change)

    def _change(
        self,
        stage: Stage,
        status: StageStatus,
        *,
        reason: str = "",
        outcome: Outcome = NOTHING,
        actor: str = "",
        is_taken_back: bool = False,
    ) -> None:
        change = self._book.change(
            stage,
            status,
            reason=reason,
            outcome=outcome,
            actor=actor,
            is_taken_back=is_taken_back,
        )
        self.turns.present.stages.append(change)
        is_release = status is StageStatus.SUCCEEDED and stage.environment is not None
        if is_release and not self.context.run.simulated:
            # most stages bring nothing anywhere
            from orchestrate_tui.executor.releases import recording  # noqa: PLC0415

            self.turns.present.others.append(recording(self.context, change))

    # Stages

    def _look_at(self, stage: Stage) -> None:
        """Take a stage whose dependencies have ended well one step on.

        In a run that another executor left, it may be further than pending.
        """
        match self._book.status(stage.name):
            case StageStatus.PENDING:
                self._consider(stage)
            case StageStatus.WAITING_APPROVAL:
                self._await_approval(stage)
            case StageStatus.RETRYING | StageStatus.INTERRUPTED:
                self._scheduler.make_ready(stage.name)
            case StageStatus.SUCCEEDED | StageStatus.SKIPPED:
                self._scheduler.end_well((stage.name,))
            case StageStatus.FAILED if stage.on_failure is OnFailure.CONTINUE:
                self._scheduler.end_well((stage.name,))
            case _:
                pass

    def _consider(self, stage: Stage) -> None:
        """Skip a stage, ask for its approval, or let it start."""
        if stage.when is None:
            reason = None
        else:
            given = self.context.run.trigger.circumstances(self._instructions.values)
            reason = stage.when.unmet(given)
        if reason is not None:
            self._change(stage, StageStatus.SKIPPED, reason=reason)
            self._scheduler.end_well((stage.name,))
        elif stage.approval is None:
            self._scheduler.make_ready(stage.name)
        elif refusal := self._quarantine.refusal(stage, self._instructions.outputs):
            self._refuse(stage, refusal)  # nobody is asked in vain
        else:
            self._change(stage, StageStatus.WAITING_APPROVAL)
            self._await_approval(stage)

    def _start(self, stage: Stage) -> None:
        self._change(stage, StageStatus.RUNNING)
        self._under_way.begin(stage.name)
        outcome = self._attempts.pretend(stage)
        if outcome is None:
            self.turns.afterwards(self._perform, stage, self._book.attempt(stage.name))
        else:
            self.turns.post_afterwards(partial(self._note_outcome, stage, outcome))

    def has_left(self, stage: StageRun) -> bool:
        """Whether the process of the stage's attempt was found."""
        return self._attempts.is_left(stage.stage_name, stage.attempt)

    def take_back(self, name: str) -> None:
        """Go on with an attempt that another executor began, and whose process was found."""
        stage = self._stages[name]
        self._change(stage, StageStatus.RUNNING, reason="taken back", is_taken_back=True)
        self._scheduler.take_place()
        self._under_way.begin(name)
        self.turns.afterwards(self._perform, stage, self._book.attempt(name))

    def settle(self, settled: Mapping[str, Settlement], actor: str) -> None:
        """End stages that nobody knows the end of as somebody says; those to rerun are left.

        Only when all of them have ended does one that failed end the run.
        """
        failed = [self._stages[name] for name, how in settled.items() if how is Settlement.FAILED]
        reason = f"marked failed by {actor}"
        for name, settlement in settled.items():
            if settlement is Settlement.DONE:
                done = f"marked done by {actor}"
                self._change(self._stages[name], StageStatus.SUCCEEDED, reason=done, actor=actor)
        for stage in failed:
            self._change(stage, StageStatus.FAILED, reason=reason, actor=actor)
        for stage in failed:
            if stage.on_failure is not OnFailure.CONTINUE:
                self._end_by(stage, reason)

    async def _perform(self, stage: Stage, attempt: int) -> None:
        outcome = await self._under_way.perform(stage, attempt)
        self.turns.post(partial(self._note_outcome, stage, outcome))

    def _note_outcome(self, stage: Stage, outcome: Outcome | None) -> None:
        """Decide what the end of an attempt means; None means that it was cancelled."""
        stop_reason = self._under_way.end(stage.name)
        self._scheduler.free_place()
        attempt = self._book.attempt(stage.name)
        if outcome is None or outcome.has_output_file:
            forget = partial(self._attempts.forget_outputs, stage.name, attempt)
            self.turns.present.afterwards.append(forget)
        if outcome is None:
            self._change(stage, StageStatus.CANCELLED, reason=stop_reason)
        elif outcome.is_refused:
            self._refuse(stage, outcome.reason)
        elif outcome.succeeded and (problem := self._quarantine.complaint(stage, outcome.outputs)):
            self._fail(stage, replace(outcome, succeeded=False, reason=problem))
        elif outcome.succeeded:
            self._change(stage, StageStatus.SUCCEEDED, outcome=outcome)
            self._instructions.add_outputs(stage.name, outcome.outputs)
            self._scheduler.end_well((stage.name,))
        elif attempt < stage.retry.attempts and not self._scheduler.is_closed:
            self._change(stage, StageStatus.RETRYING, outcome=replace(outcome, outputs=()))
            self._delays[stage.name] = delay = anyio.CancelScope()
            seconds = stage.retry.delay_before(attempt + 1)
            self.turns.wait(delay, seconds, partial(self._retry, stage))
        else:
            self._fail(stage, outcome)

    def _fail(self, stage: Stage, outcome: Outcome) -> None:
        self._change(stage, StageStatus.FAILED, outcome=outcome)
        self._instructions.add_outputs(stage.name, outcome.outputs)
        if stage.on_failure is OnFailure.CONTINUE:
            self._scheduler.end_well((stage.name,))
            return
        self._end_by(stage, outcome.reason)

    def _end_by(self, stage: Stage, why: str) -> None:
        reason = f"stage '{stage.name}' failed: {why}"
        self._queue_automatic(stage, reason)
        self.halt(reason)

    def _refuse(self, stage: Stage, why: str) -> None:
        """End the run at a stage that may not start: only what had begun before has failed."""
        attempt = self._book.attempt(stage.name)
        if attempt <= 1 or self._attempts.is_unstarted(stage.name, attempt - 1):
            reason = f"{MAY_NOT_START}: {why}"
            self._change(stage, StageStatus.SKIPPED, reason=reason)
        else:
            reason = f"{MAY_NOT_START} again: {why}"
            self._change(stage, StageStatus.FAILED, reason=reason)
            self._queue_automatic(stage, f"stage '{stage.name}' failed and {reason}")
        self.halt(f"stage '{stage.name}' {reason}")

    def _retry(self, stage: Stage) -> None:
        if self._delays.pop(stage.name, None) is not None:
            self._scheduler.make_ready(stage.name)

    # Approvals

    def _await_approval(self, stage: Stage) -> None:
        """Let a stage wait for people, until its approval expires."""
        if not self._gate.missing(stage):
            self._scheduler.make_ready(stage.name)
            return
        scope = self._gate.enter(stage)
        timeout_s = stage.approval.timeout_s if stage.approval else None
        if timeout_s is not None:
            left_s = max(timeout_s - self._book.waited_s(stage.name), 0.0)
            self.turns.wait(scope, left_s, partial(self._expire, stage))

    def decide(self, request: Request, decision: Decision) -> str:
        """Record a decision on a waiting stage and say what it did. Raises Refused."""
        stage = self._gate.decide(request.payload["stage"], decision, request, self.turns.present)
        where = f"stage '{stage.name}' of run {self.context.id}"
        if decision is Decision.REJECTED:
            self._reject(stage, request)
            return f"Rejected {where}"
        if missing := self._gate.missing(stage):
            return f"Approved {where}; {missing} more to go"
        self._gate.leave(stage.name)
        self._scheduler.make_ready(stage.name)
        self._tell_nobody_else(stage, f"approved by {request.actor}")
        return f"Approved {where}"

    def _tell_nobody_else(self, stage: Stage, outcome: str) -> None:
        """End what was told of a stage's approval, although it may wait for a place to start."""
        if self.context.pipeline.notify:
            end = partial(
                settle,
                run_id=self.context.id,
                outcome=outcome,
                at=to_text(self.executor.clock()),
                occasion=Occasion.APPROVAL_REQUESTED,
                stage_name=stage.name,
            )
            self.turns.present.others.append(end)

    def _reject(self, stage: Stage, request: Request) -> None:
        comment = request.payload.get("comment", "")
        reason = f"rejected by {request.actor}" + (f": {comment}" if comment else "")
        self._gate.leave(stage.name)
        self._change(stage, StageStatus.REJECTED, reason=reason, actor=request.actor)
        self._queue_automatic(stage, f"stage '{stage.name}' was {reason}")
        self.halt(f"stage '{stage.name}' was {reason}")

    def _expire(self, stage: Stage) -> None:
        if not self._gate.is_waiting(stage.name):
            return
        self._gate.leave(stage.name)
        if approves_by_expiry(stage):
            self._scheduler.make_ready(stage.name)
            return
        self._change(stage, StageStatus.REJECTED, reason="the approval expired")
        self.halt(f"the approval of stage '{stage.name}' expired")

    # The end of a run before its last stage

    def halt(self, reason: str, verdict: RunStatus = RunStatus.FAILED) -> None:
        """Start nothing more: what waits is skipped, what runs may finish.

        Under `fail_fast` what makes a run fail cancels what runs, too.
        """
        if self._scheduler.is_closed:
            return
        self._scheduler.close()
        self._verdict, self._reason = verdict, reason
        for name, stage in self._stages.items():
            match self._book.status(name):
                case StageStatus.PENDING | StageStatus.WAITING_APPROVAL:
                    self._gate.leave(name)
                    self._change(stage, StageStatus.SKIPPED, reason=NOT_STARTED + reason)
                case StageStatus.INTERRUPTED:
                    self._change(stage, StageStatus.CANCELLED, reason=f"not resumed: {reason}")
                case StageStatus.RETRYING:
                    self._drop_retry(stage, f"not tried again: {reason}")
                case _:
                    pass
        if self.context.pipeline.fail_fast and verdict is RunStatus.FAILED:
            self._under_way.stop(self._stages, reason)

    def _drop_retry(self, stage: Stage, reason: str) -> None:
        if (delay := self._delays.pop(stage.name, None)) is not None:
            delay.cancel()
        if self._verdict is RunStatus.CANCELLED:
            self._change(stage, StageStatus.CANCELLED, reason=reason)
            return
        self._change(stage, StageStatus.FAILED, reason=reason)
        self._queue_automatic(stage, f"stage '{stage.name}' failed and was {reason}")

    def stop(self, reason: str) -> None:
        """Start nothing more, and cancel what runs; `stopped` says why and since when."""
        self.stopped = self.stopped or f"{reason} at {spoken(self.executor.clock())}"
        self.halt(reason, RunStatus.CANCELLED)
        self.stop_what_runs(reason)

    def stop_what_runs(self, reason: str) -> None:
        """Cancel what runs at once, although what was decided before is not committed yet."""
        self._under_way.stop(self._stages, reason)

    async def stop_stages(self, names: Iterable[str], reason: str) -> None:
        """Cancel those of `names` that run; returns when their end is committed."""
        wanted = frozenset(names)
        self._under_way.stop(wanted, reason)
        await self.turns.until(lambda: wanted.isdisjoint(self._under_way.names))

    def _queue_automatic(self, stage: Stage, reason: str) -> None:
        """Record an automatic rollback; it is carried out when no other one is under way."""
        if stage.rollback_target is None:
            return
        event = RollbackEvent(
            run_id=self.context.id,
            failed_stage_name=stage.name,
            rollback_to_stage=stage.rollback_target,
            trigger_type=RollbackTriggerType.AUTOMATIC,
            reason=self.context.secrets.masked(reason),
            waits=self.executor.waits,
            created_at=self.executor.clock(),
            epoch=self.executor.epoch,
        )
        self.rollbacks.insert(event, self.turns.present)
