"""Carries a rollback out: plans it, records its steps, and has one undo after the other done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import anyio

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.planner import plan_rollback
from orchestrate_tui.domain.redefinition import marked
from orchestrate_tui.domain.rollback import narrowed
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import RollbackStatus, RollbackTriggerType, StepStatus
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.domain.variables import substitute
from orchestrate_tui.errors import Refused, RollbackLoop
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.environments import LOOK_INTERVAL_S, environments_undone
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.instructions import Instructions
from orchestrate_tui.executor.operator_desk import waits_for_nobody
from orchestrate_tui.executor.releases import releases_of
from orchestrate_tui.executor.snapshots import overwritten, pruned_parts, restorable
from orchestrate_tui.executor.undo import Decided, StepRunner
from orchestrate_tui.store import rollback_steps, rollbacks
from orchestrate_tui.store.breakers import trip
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.definitions import encode_plan, read_definition
from orchestrate_tui.store.environments import holder_of
from orchestrate_tui.store.history import order_of_starts, stages_of, steps_of
from orchestrate_tui.store.releases import mark_gone, read_release
from orchestrate_tui.store.rollback_steps import note_wait

StopStages = Callable[[Iterable[str], str], Awaitable[None]]


async def nothing_runs(names: Iterable[str], reason: str) -> None:
    """Stop the stages of a run that has ended: there are none."""


def plan_event(context: RunContext, connection: Connection, event: RollbackEvent) -> RollbackPlan:
    """The plan of a rollback as the run stands now; of a repeated one, what is left to do."""
    used = under_definition(connection, context, event.definition_hash)
    stages = stages_of(connection, context.id)
    plan = plan_request(
        connection,
        used,
        stages,
        event.failed_stage_name,
        event.rollback_to_stage,
        release_id=event.release_id,
        components=event.components,
        cascade=event.cascade,
    )
    if event.definition_hash is not None:
        plan = marked(plan, event.definition_hash, context.pipeline, used.pipeline)
    if event.retry_of is None:
        return plan
    left = [
        step.part
        for step in steps_of(connection, event.retry_of)
        if step.status not in {StepStatus.SUCCEEDED, StepStatus.DONE}
    ]
    return narrowed(plan, left) if left else plan


def under_definition(connection: Connection, context: RunContext, digest: str | None) -> RunContext:
    """The run with the undos and agents of the definition of that hash; None: with its own."""
    if digest is None:
        return context
    return replace(context, pipeline=read_definition(connection, digest))


def plan_request(
    connection: Connection,
    context: RunContext,
    stages: Iterable[StageRun],
    from_stage: str,
    to_stage: str | None,
    *,
    release_id: int | None = None,
    components: tuple[str, ...] = (),
    cascade: bool = True,
) -> RollbackPlan:
    """The plan of a rollback of a run whose stages stand as given."""
    known = {stage.stage_name: stage for stage in stages}
    starts = order_of_starts(connection, context.id)
    plan = plan_rollback(
        context.pipeline,
        context.graph,
        known,
        failed_stage=from_stage,
        target=to_stage,
        simulated=context.run.simulated,
        releases=releases_of(connection, context, known.values(), starts, release_id),
        snapshots=restorable(connection, context),
        pruned=pruned_parts(connection, context.id),
        components=components,
        cascade=cascade,
        undone=rollbacks.undone_components(connection, context.id),
        starts=starts,
    )
    lost = overwritten(connection, context, plan)
    untold = _untold(connection, plan, release_id) if release_id is not None else ()
    return replace(plan, overwrites=lost, warnings=(*plan.warnings, *lost, *untold))


def _untold(connection: Connection, plan: RollbackPlan, release_id: int) -> Iterator[str]:
    """Which steps in the environment of the release that was named cannot return to it."""
    environment = read_release(connection, release_id).environment
    for step in plan.steps:
        if step.environment == environment and not step.task:
            yield (
                f"stage '{step.part}' is only put back as it was before it ran:"
                f" nothing returns it to release {release_id}"
            )


def told_plan(plan: RollbackPlan, instructions: Instructions) -> RollbackPlan:
    """The plan with the values that are known in the tasks of its steps; its hash stays.

    A secret that cannot be read stops no rollback: what nobody can read, nothing can show.
    """
    masked, values_for = instructions.context.secrets.masked, instructions.values_for
    tasks = (substitute(step.task, values_for(step), keep_unknown=True) for step in plan.steps)
    steps = (replace(step, task=masked(task)) for step, task in zip(plan.steps, tasks, strict=True))
    return _recorded(replace(plan, steps=tuple(steps)), instructions.context)


def _recorded(plan: RollbackPlan, context: RunContext) -> RollbackPlan:
    """The plan without the secrets that stand in paths; its hash stays."""
    masked = context.secrets.masked
    steps = (replace(step, restores=tuple(map(masked, step.restores))) for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def halt_sentence(actor: str, reason: str) -> str:
    """Who stopped a rollback, and why."""
    return f"halted by {actor}" + (f": {reason}" if reason else "")


class RollbackRunner:
    """Carries out the rollbacks of one run, one at a time."""

    def __init__(
        self,
        executor: ExecutorContext,
        context: RunContext,
        attempts: Attempts,
        stop_stages: StopStages = nothing_runs,
    ) -> None:
        self._executor = executor
        self._context = context
        self._attempts = attempts
        self._stop_stages = stop_stages
        self._halts: dict[int, str] = {}
        self._steps: StepRunner | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether steps are done, from their record until the end is decided."""
        return self._steps is not None

    def halt(self, rollback_id: int, actor: str, reason: str) -> None:
        """Stop a rollback at its present step, now or as soon as it would start.

        Raises Refused when somebody did so before.
        """
        if before := self._halts.get(rollback_id):
            raise Refused(
                f"Rollback {rollback_id} is stopping already: {before}",
                next_step="Wait for its end",
            )
        sentence = halt_sentence(actor, reason)
        self._halts[rollback_id] = sentence
        if self._steps is not None and self._steps.rollback_id == rollback_id:
            self._steps.halt(sentence)

    def decide(self, rollback_id: int, decision: StepDecision) -> Decided:
        """A decision about a step that waits; see StepRunner.decide. Raises Refused."""
        if self._steps is None or self._steps.rollback_id != rollback_id:
            raise waits_for_nobody(rollback_id, self._context.id)
        return self._steps.decide(decision)

    def take_back(self, decision: StepDecision) -> None:
        """Wait on where a decision was made that could not be recorded."""
        if self._steps is not None:
            self._steps.take_back(decision)

    async def carry_out(self, rollback_id: int) -> RollbackEvent:
        """Carry a pending rollback out, or one that another executor left.

        Returns the event as it ended, when its end is committed.
        """
        event = self._executor.database.read(partial(rollbacks.read, rollback_id=rollback_id))
        if event.status is RollbackStatus.PENDING:
            event = await self._begin(event)
        if event.status is RollbackStatus.RUNNING:
            context, attempts = self._context, self._attempts
            if event.definition_hash is not None:
                find = partial(under_definition, context=context, digest=event.definition_hash)
                context = self._executor.database.read(find)
                attempts = attempts.under(context)
            self._steps = StepRunner(self._executor, context, attempts, event)
            if sentence := self._halts.get(rollback_id):
                self._steps.halt(sentence)
            problem = await self._steps.run()
            self._steps = None
            event = await self._end(event, problem)
        return event

    async def _begin(self, event: RollbackEvent) -> RollbackEvent:
        """Plan it, once nothing in its scope runs any more, and record its steps.

        One that nothing can come of stops no stage.
        """
        plan = self._plan(event)
        if not self._executor.database.read(partial(self._obstacle, event=event, plan=plan)):
            is_manual = event.trigger_type is RollbackTriggerType.MANUAL
            scope = self._context.graph.names if is_manual else plan.scope
            await self._stop_stages(scope, f"stopped by rollback {event.id}")
            plan = self._plan(event)
        recorded = _recorded(plan, self._context)
        planned = replace(event, plan=encode_plan(recorded), plan_hash=plan.hash)
        told = told_plan(plan, self._attempts.instructions)
        places, waited_for = environments_undone(self._context, plan), ""
        limits = [(place, self._context.pipeline.breaker(place)) for place in sorted(places)]

        def begin(connection: Connection) -> RollbackEvent | str:
            at = self._executor.clock()
            rollbacks.check_rollback_owner(connection, event.id or 0, self._executor.epoch)
            obstacle = self._obstacle(connection, event, plan)
            holder = holder_of(connection, self._executor.database.files, places, event.run_id)
            if holder and not obstacle:
                note_wait(connection, event, holder.sentence, waited_for, at)
                return holder.sentence
            begun = planned.mark_failed(obstacle, at) if obstacle else planned.mark_running(at)
            rollbacks.update(connection, begun)
            if not obstacle:
                rollback_steps.insert_steps(connection, event.id or 0, told)
                if event.trigger_type is RollbackTriggerType.AUTOMATIC:
                    trip(connection, event, self._context.run.pipeline, limits, at)
            return begun

        while isinstance(begun := await self._executor.commit(begin, self._told(event)), str):
            waited_for = begun
            await anyio.sleep(LOOK_INTERVAL_S)
        return begun

    def _obstacle(self, connection: Connection, event: RollbackEvent, plan: RollbackPlan) -> str:
        """The sentence that says why nothing of the plan may run; "" when it may."""
        return self._halts.get(event.id or 0) or _obstacle(connection, event, plan)

    def _plan(self, event: RollbackEvent) -> RollbackPlan:
        return self._executor.database.read(partial(plan_event, self._context, event=event))

    async def _end(self, event: RollbackEvent, problem: str) -> RollbackEvent:
        at = self._executor.clock()
        ended = event.mark_failed(problem, at) if problem else event.mark_succeeded(at)

        def end(connection: Connection) -> None:
            rollbacks.check_rollback_owner(connection, event.id or 0, self._executor.epoch)
            rollbacks.update(connection, ended)
            if not problem:
                mark_gone(connection, event.run_id, event.id or 0, at)

        await self._executor.commit(end, self._told(event))
        return ended

    def _told(self, event: RollbackEvent) -> Change:
        return Change(run_id=self._context.id, rollback_id=event.id)


def _obstacle(connection: Connection, event: RollbackEvent, plan: RollbackPlan) -> str:
    if event.trigger_type is RollbackTriggerType.AUTOMATIC:
        times = _times_before(connection, event)
        if times:
            return RollbackLoop(plan.target, times).message
    if plan.refusal:
        return plan.refusal
    if plan.overwrites and event.trigger_type is RollbackTriggerType.AUTOMATIC:
        return plan.overwrites[0]
    if plan.irreversible and not event.accept_irreversible:
        return f"irreversible: stage(s) {', '.join(plan.irreversible)} cannot be undone"
    return ""


def _times_before(connection: Connection, event: RollbackEvent) -> int:
    """How often the target was one before; rollbacks queued after this one do not count."""
    earlier = rollbacks.list_events(connection, event.run_id, before=event.id, limit=1000)
    return sum(one.rollback_to_stage == event.rollback_to_stage for one in earlier)
