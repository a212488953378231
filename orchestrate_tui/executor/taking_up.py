"""What an executor leaves when it dies, and how another one takes it up."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrate_tui.domain.events import RollbackEvent, failed_steps
from orchestrate_tui.domain.pipeline import OnFailure
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    SETTLED_STEPS,
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
    StepStatus,
)
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import Refused, StaleTransition
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.operator_desk import OperatorDesk
from orchestrate_tui.executor.session import MAY_NOT_START, NOT_STARTED, RunSession
from orchestrate_tui.store import rollback_steps, rollbacks
from orchestrate_tui.store.attendance import named
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.environments import holder_of, newer_deployment
from orchestrate_tui.store.fencing import Takeover, read_owner, release, take_over_rollback
from orchestrate_tui.store.history import read_run, stages_of, steps_of
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.recovery import UNDER_WAY, interrupt
from orchestrate_tui.store.rollback_steps import decide_step

_STEPS_UNDER_WAY = frozenset({StepStatus.RUNNING, StepStatus.INTERRUPTED, StepStatus.RETRYING})


def left_behind(
    connection: Connection, run_id: int, owner: int | None, executor: ExecutorContext
) -> tuple[RollbackEvent, ...]:
    """The rollbacks that have not ended of a run that is taken over from `owner`, oldest first.

    Raises StaleTransition when another executor carries one of them out.
    """
    events = rollbacks.list_events(connection, run_id, limit=1000)[::-1]
    left = tuple(event for event in events if event.status not in ENDED_ROLLBACKS)
    for event in left:
        if event.epoch != owner and is_alive(executor.database.files, event.epoch):
            who = named(executor.database.files, read_owner(connection, event.epoch))
            raise StaleTransition(f"Rollback {event.id} of run {run_id} is carried out by {who}")
    return left


def adopt(
    connection: Connection,
    events: Iterable[RollbackEvent],
    executor: ExecutorContext,
    takeover: Takeover,
    *,
    goes_on: bool = True,
) -> None:
    """Become the one who carries these rollbacks out, as they were read.

    Raises StaleTransition when somebody else did in between, and Refused when one that `goes_on`
    would meet another in its environment.
    """
    if goes_on:
        _check_environments(connection, events, executor, is_forced=takeover.is_forced)
    reason = takeover.sentence if takeover.is_forced else "its executor gave it up"
    for event in events:
        identity, seen = event.id or 0, event.epoch
        take_over_rollback(connection, event.run_id, identity, seen=seen, takeover=takeover)
        for step in steps_of(connection, identity):
            if step.status is StepStatus.RUNNING:
                rollback_steps.change_step(
                    connection,
                    event.run_id,
                    step,
                    StepStatus.INTERRUPTED,
                    executor.clock(),
                    epoch=executor.epoch,
                    error_message=reason,
                )


def _check_environments(
    connection: Connection,
    events: Iterable[RollbackEvent],
    executor: ExecutorContext,
    *,
    is_forced: bool = False,
) -> None:
    """Raise Refused where somebody works in what these rollbacks, which had begun, undo.

    Unless it `is_forced` also where a newer run has deployed since they began.
    """
    for event in events:
        has_begun = event.status is RollbackStatus.RUNNING
        if not has_begun or read_run(connection, event.run_id).simulated:
            continue
        places = _places_left(connection, event)
        names = {name for name, _ in places}
        holder = holder_of(connection, executor.database.files, names, event.run_id)
        if holder is not None:
            raise Refused(
                f"Rollback {event.id} cannot go on: {holder.sentence}",
                next_step=f"When that has ended: orchestrate-tui resume {event.run_id}",
            )
        newer = newer_deployment(connection, event.run_id, places, since_rollback=event.id)
        if newer and not is_forced:
            raise Refused(
                f"Rollback {event.id} would undo what others did: {newer} it began",
                next_step=f"End it with: orchestrate-tui rollback-step {event.id} halt --reason"
                " TEXT; or go on all the same with:"
                f" orchestrate-tui resume {event.run_id} --take-over --reason TEXT",
            )


def _places_left(connection: Connection, event: RollbackEvent) -> frozenset[tuple[str, str | None]]:
    """The environments, each with a component or None, in which something is still to be undone."""
    where = {one.stage_name: one.environment for one in stages_of(connection, event.run_id)}
    left = (
        (where[step.stage_name], step.component)
        for step in steps_of(connection, event.id or 0)
        if step.status not in SETTLED_STEPS
    )
    return frozenset((place, component) for place, component in left if place)


def decide_left(
    connection: Connection,
    event: RollbackEvent,
    decision: StepDecision,
    executor: ExecutorContext,
) -> None:
    """Record a decision about a step of a rollback whose executor died, and leave it to be resumed.

    Raises Refused when no such step waits, or somebody works in its environment by now, Fenced when
    somebody has taken the rollback over.
    """
    _check_environments(connection, (event,), executor)
    desk = OperatorDesk(event)
    steps = steps_of(connection, event.id or 0)
    for step in failed_steps(steps) if event.waiting_since else ():
        desk.lay(step)
    step, _ = desk.take(decision)
    decide_step(connection, step, decision, executor.clock(), epoch=event.epoch)


def halt_left(
    connection: Connection, rollback_id: int, sentence: str, executor: ExecutorContext
) -> None:
    """End an adopted rollback as failed; the step that was under way too.

    Raises StaleTransition when another executor has it by now.
    """
    rollbacks.check_rollback_owner(connection, rollback_id, executor.epoch)
    event = rollbacks.read(connection, rollback_id)
    at = executor.clock()
    problem = sentence
    for step in steps_of(connection, rollback_id):
        if step.status is StepStatus.FAILED:
            problem = f"step '{step.part}' failed: {step.error_message}; {sentence}"
        if step.status in _STEPS_UNDER_WAY:
            problem = f"step '{step.part}' failed: {sentence}"
            rollback_steps.change_step(
                connection,
                event.run_id,
                step,
                StepStatus.FAILED,
                at,
                epoch=executor.epoch,
                error_message=sentence,
            )
    rollbacks.update(connection, event.mark_failed(problem, at))


def leave(connection: Connection, run_id: int, reason: str, executor: ExecutorContext) -> None:
    """Leave a run that this executor cannot work on as if the executor had died.

    Raises StaleTransition when the run is not its own any more.
    """
    run = read_run(connection, run_id)
    if run.status in UNDER_WAY:
        interrupt(
            connection,
            run_id,
            epoch=executor.epoch,
            expected=run.status,
            reason=reason,
            at=executor.clock(),
        )
    release(connection, run_id, executor.epoch)


def take_up(
    session: RunSession, stages: Iterable[StageRun], events: Iterable[RollbackEvent]
) -> None:
    """Prepare a session to go on where another executor stopped.

    A run that was ending starts nothing more; its rollbacks, oldest first in `events`, go on.
    """
    known = tuple(events)
    for event in known:
        if event.status not in ENDED_ROLLBACKS:
            session.rollbacks.restore(event.id or 0)
    verdict, reason = _ending(session.context, tuple(stages), known)
    if verdict is not None:
        session.halt(reason, verdict)


def is_ending(
    context: RunContext, stages: tuple[StageRun, ...], events: tuple[RollbackEvent, ...]
) -> bool:
    """Whether the run was about to end when its executor died."""
    return _ending(context, stages, events)[0] is not None


def _ending(
    context: RunContext, stages: tuple[StageRun, ...], events: tuple[RollbackEvent, ...]
) -> tuple[RunStatus | None, str]:
    """How the run was about to end when its executor died; None when it was going on."""
    for stage in stages:
        if _failed_the_run(context, stage):
            return RunStatus.FAILED, f"stage '{stage.stage_name}' {_told(stage)}"
    for event in events[:1]:
        if event.trigger_type is RollbackTriggerType.AUTOMATIC:
            return RunStatus.FAILED, event.reason
        return RunStatus.CANCELLED, f"stopped by {event.actor} for a rollback"
    for stage in stages:
        if stage.status is StageStatus.CANCELLED:
            return RunStatus.CANCELLED, stage.reason
        if stage.status is StageStatus.SKIPPED and stage.reason.startswith(NOT_STARTED):
            return RunStatus.CANCELLED, stage.reason.removeprefix(NOT_STARTED)
    return None, ""


def _failed_the_run(context: RunContext, stage: StageRun) -> bool:
    if stage.status is StageStatus.REJECTED or _is_refused(stage):
        return True
    definition = context.pipeline.stages[stage.position]
    return stage.status is StageStatus.FAILED and definition.on_failure is not OnFailure.CONTINUE


def _is_refused(stage: StageRun) -> bool:
    is_ended = stage.status in {StageStatus.SKIPPED, StageStatus.FAILED}
    return is_ended and stage.reason.startswith(MAY_NOT_START)


def _told(stage: StageRun) -> str:
    if _is_refused(stage):
        return stage.reason
    is_rejected = stage.status is StageStatus.REJECTED
    return f"was not approved: {stage.reason}" if is_rejected else f"failed: {stage.reason}"
