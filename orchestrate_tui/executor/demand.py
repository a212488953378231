"""What an operator demands of a rollback, and the rules under which it is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.rollback import possible_targets
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.domain.status import RollbackStatus, RollbackTriggerType, standing
from orchestrate_tui.errors import NotFound, RollbackLoop, RollbackRefused, StalePlan
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.environments import environments_undone, places_undone
from orchestrate_tui.executor.rollback import plan_event
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.environments import holder_of, how_it_ends, newer_deployment
from orchestrate_tui.store.history import stages_of
from orchestrate_tui.store.releases import find_release
from orchestrate_tui.values import dataclass

FORCE = "Roll that run back first, or undo this one all the same with --force"
"""What to do where a newer run has deployed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who demands a rollback, and the executor that would carry it out."""

    actor: str
    epoch: int
    at: datetime
    files: StoreFiles


def applicant_of(executor: ExecutorContext, actor: str = "") -> Applicant:
    """Who demands something of an executor now; "" is nobody, who only wants to know."""
    return Applicant(
        actor=actor, epoch=executor.epoch, at=executor.clock(), files=executor.database.files
    )


def accept(
    connection: Connection,
    context: RunContext,
    demand: RollbackDemand,
    applicant: Applicant,
) -> RollbackEvent:
    """The event of a demand that may be carried out; it is not stored yet.

    Raises NotFound or RollbackRefused when it may not.
    """
    if not demand.from_stage:  # all stages at once are rehearsed, but not undone
        raise _unknown_stage(context, "")
    event = demanded_event(connection, context, demand, applicant)
    check_rules(connection, context, event)
    plan = plan_event(context, connection, event)
    if plan.refusal:
        raise RollbackRefused(plan.refusal, next_step=_what_is_possible(connection, context, event))
    _check_plan(plan, demand)
    _check_environments(connection, context, plan, demand, applicant)
    return event


def demanded_event(
    connection: Connection,
    context: RunContext,
    demand: RollbackDemand,
    applicant: Applicant,
) -> RollbackEvent:
    """The event of a demand, of a repetition with what the first was to do; it is not stored.

    Raises NotFound or RollbackRefused for what the run does not have.
    """
    check_stages(context, demand.from_stage, demand.to_stage)
    check_components(context, demand.components)
    first = _failed_rollback(connection, context, demand) if demand.retry else None
    wanted = demand.release or (str(first.release_id) if first and first.release_id else "")
    named = find_release(connection, context.id, wanted) if wanted else None
    event = RollbackEvent(
        run_id=context.id,
        failed_stage_name=demand.from_stage,
        rollback_to_stage=demand.to_stage or demand.from_stage,
        trigger_type=RollbackTriggerType.MANUAL,
        actor=applicant.actor,
        reason=demand.reason,
        accept_irreversible=demand.accept_irreversible,
        waits=demand.waits,
        retry_of=first.id if first else None,
        release_id=named.id if named else None,
        definition_hash=demand.definition or (first.definition_hash if first else None),
        components=demand.components or (first.components if first else ()),
        cascade=demand.cascade and (first is None or first.cascade),
        created_at=applicant.at,
        epoch=applicant.epoch,
    )
    _check_direction(connection, context, event)
    return event


def _check_environments(
    connection: Connection,
    context: RunContext,
    plan: RollbackPlan,
    demand: RollbackDemand,
    applicant: Applicant,
) -> None:
    """Raise RollbackRefused where others work, or a newer run has deployed since, unless forced."""
    places = environments_undone(context, plan)
    if holder := holder_of(connection, applicant.files, places, context.id):
        raise RollbackRefused(_sentence(holder.sentence), next_step=how_it_ends(holder))
    parts = places_undone(context, plan)
    if not demand.force and (newer := newer_deployment(connection, context.id, parts)):
        raise RollbackRefused(newer, next_step=FORCE)


def check_rules(connection: Connection, context: RunContext, event: RollbackEvent) -> None:
    """Raise RollbackRefused while another rollback is under way, or for a loop."""
    rollbacks.check_none_under_way(connection, event.run_id)
    if event.retry_of is None:
        check_loop(connection, context, event)


def check_loop(connection: Connection, context: RunContext, event: RollbackEvent) -> None:
    """Raise RollbackLoop where the target was one before in this run."""
    target = event.rollback_to_stage
    stage = context.pipeline.stage(target)
    known = stage.components if stage else ()
    rollbacks.check_loop(connection, event.run_id, target, event.components, known=known)


def check_components(context: RunContext, components: Iterable[str]) -> None:
    """Raise NotFound for a component that no stage of the run has."""
    known = dict.fromkeys(one for stage in context.pipeline.stages for one in stage.components)
    for name in components:
        if name not in known:
            raise NotFound(
                f"Run {context.id} has no component '{name}'",
                next_step=f"Its components are: {', '.join(known) or 'none'}",
            )


def check_stages(context: RunContext, from_stage: str, to_stage: str) -> None:
    """Raise NotFound for a stage that the run does not have; "" is none."""
    for name in filter(None, (from_stage, to_stage)):
        if name not in context.graph.position:
            raise _unknown_stage(context, name)


def _unknown_stage(context: RunContext, name: str) -> NotFound:
    return NotFound(
        f"Run {context.id} has no stage '{name}'",
        next_step=f"Its stages are: {', '.join(context.graph.names)}",
    )


def _check_direction(connection: Connection, context: RunContext, event: RollbackEvent) -> None:
    """Raise RollbackRefused for a target that is not upstream of what failed."""
    failed, target = event.failed_stage_name, event.rollback_to_stage
    if failed != target and failed not in context.graph.downstream(target):
        raise RollbackRefused(
            f"Stage '{failed}' does not come after stage '{target}'",
            next_step=_what_is_possible(connection, context, event),
        )


def _what_is_possible(connection: Connection, context: RunContext, event: RollbackEvent) -> str:
    """The targets with which a refused rollback would be none, as a sentence."""
    stages = {stage.stage_name: stage for stage in stages_of(connection, context.id)}
    found = possible_targets(context.pipeline, context.graph, stages, event.failed_stage_name)
    others = (replace(event, rollback_to_stage=name, retry_of=None) for name in found)
    targets = [
        other.rollback_to_stage for other in others if _is_possible(connection, context, other)
    ]
    return f"Possible targets are: {', '.join(targets) or 'none'}"


def _is_possible(connection: Connection, context: RunContext, event: RollbackEvent) -> bool:
    try:
        check_loop(connection, context, event)
    except RollbackLoop:
        return False
    return not plan_event(context, connection, event).refusal


def _failed_rollback(
    connection: Connection, context: RunContext, demand: RollbackDemand
) -> RollbackEvent:
    """The rollback that a retry repeats: the last one from and to the same stages, if it failed."""
    target = demand.to_stage or demand.from_stage
    for event in rollbacks.list_events(connection, context.id, limit=1000):
        if (event.failed_stage_name, event.rollback_to_stage) == (demand.from_stage, target):
            if event.status is RollbackStatus.FAILED and event.id is not None:
                return event
            raise RollbackRefused(
                f"Rollback {event.id} {standing(event.status)}; only a failed one is tried again",
                next_step=f"See what it did with: orchestrate-tui show {context.id}",
            )
    raise RollbackRefused(
        f"Run {context.id} has no rollback from '{demand.from_stage}' to '{target}' to try again",
        next_step=f"List them with: orchestrate-tui rollbacks {context.id}",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _check_plan(plan: RollbackPlan, demand: RollbackDemand) -> None:
    if plan.irreversible and not demand.accept_irreversible:
        raise RollbackRefused(
            f"Stage(s) {', '.join(plan.irreversible)} cannot be taken back: irreversible",
            next_step="To undo the others all the same, add --accept-irreversible",
        )
    if plan.overwrites and not demand.force:
        raise RollbackRefused(_sentence(plan.overwrites[0]), next_step="To lose that, add --force")
    if plan.hindrance and not demand.force:
        raise RollbackRefused(plan.hindrance, next_step="To leave it so, say why and add --force")
    if demand.plan_hash and demand.plan_hash != plan.hash:
        raise StalePlan
