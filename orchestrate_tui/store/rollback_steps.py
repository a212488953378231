"""The steps of rollbacks: changed under guard, and what an operator decides of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrate_tui.domain.events import WAITING
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.status import STEP_TRANSITIONS, RollbackStatus, StepStatus
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import StaleTransition
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.history import steps_of
from orchestrate_tui.store.occasions import settle_wait
from orchestrate_tui.store.record import record
from orchestrate_tui.store.undone import mark_rolled_back

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.domain.step_decision import StepDecision


def insert_steps(connection: sqlite3.Connection, rollback_id: int, plan: RollbackPlan) -> None:
    """Record the steps of a plan, all pending, for people to read; the plan is what is done."""
    connection.executemany(
        "INSERT INTO rollback_steps"
        " (rollback_id, position, stage_name, component, environment, agent, task)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                rollback_id,
                position,
                step.stage_name,
                step.component,
                step.environment,
                step.agent,
                step.task,
            )
            for position, step in enumerate(plan.steps)
        ],
    )


def change_step(
    connection: sqlite3.Connection,
    run_id: int,
    step: RollbackStep,
    status: StepStatus,
    at: datetime,
    *,
    epoch: int | None,
    exit_code: int | None = None,
    error_message: str = "",
    actor: str = "",
) -> None:
    """Bring a step from the status it has in `step` to `status`; `actor` is who decided that.

    Raises StaleTransition when it has another by now, Fenced when the rollback has another owner.
    """
    rollbacks.check_rollback_owner(connection, step.rollback_id, epoch)
    if status is not step.status and status not in STEP_TRANSITIONS[step.status]:
        raise StaleTransition(f"A rollback step cannot go from {step.status} to {status}")
    moment = to_text(at)
    is_running = status is StepStatus.RUNNING
    changed = connection.execute(
        """
        UPDATE rollback_steps SET status = ?, attempt = max(attempt, ?), exit_code = ?,
            error_message = ?, started_at = coalesce(started_at, ?), completed_at = ?
        WHERE rollback_id = ? AND position = ? AND status = ?
        """,
        (
            status,
            step.attempt,
            exit_code,
            error_message,
            moment if is_running else None,
            None if is_running else moment,
            step.rollback_id,
            step.position,
            step.status,
        ),
    ).rowcount  # fmt: skip
    if not changed:
        raise StaleTransition(
            f"Step {step.position + 1} of rollback {step.rollback_id} is no longer {step.status}"
        )
    record(
        connection, run_id, moment, "step", stage_name=step.stage_name,
        rollback_id=step.rollback_id, from_status=step.status, to_status=status,
        attempt=step.attempt, actor=actor, detail=error_message,
    )  # fmt: skip


def note_wait(
    connection: sqlite3.Connection, event: RollbackEvent, holder: str, known: str, at: datetime
) -> None:
    """Record, unless it is `known`, for whom a rollback waits before it begins."""
    if holder != known:
        record(
            connection, event.run_id, to_text(at), "rollback",
            stage_name=event.rollback_to_stage, rollback_id=event.id,
            from_status=event.status, to_status=event.status, detail=f"waits: {holder}",
        )  # fmt: skip


def waits_for(connection: sqlite3.Connection, event: RollbackEvent) -> str:
    """For what a rollback waits that has not ended: a holder, or a decision; "" for nothing."""
    if event.waiting_since is not None:
        failed = [one for one in steps_of(connection, event.id or 0) if one.status == "failed"]
        return "; ".join(f"step '{one.part}' failed: {one.error_message}" for one in failed)
    if event.status is not RollbackStatus.PENDING:
        return ""
    row = connection.execute(
        "SELECT detail FROM events INDEXED BY events_by_run WHERE run_id = ? AND rollback_id = ?"
        " AND kind = 'rollback' AND from_status = to_status ORDER BY id DESC LIMIT 1",
        (event.run_id, event.id),
    ).fetchone()
    return str(row["detail"]) if row else ""


def begin_waiting(
    connection: sqlite3.Connection, rollback_id: int, sentence: str, at: datetime
) -> None:
    """Note that a rollback waits for the operator from now on; `sentence` says for what.

    One that waits already keeps its moment.
    """
    event = rollbacks.read(connection, rollback_id)
    rollbacks.update(connection, replace(event, waiting_since=event.waiting_since or at))
    record(
        connection, event.run_id, to_text(at), WAITING, stage_name=event.rollback_to_stage,
        rollback_id=rollback_id, to_status=event.status, detail=sentence,
    )  # fmt: skip


def decide_step(
    connection: sqlite3.Connection,
    step: RollbackStep,
    decision: StepDecision,
    at: datetime,
    *,
    epoch: int | None,
) -> None:
    """Do with a step that failed as was decided; the rollback waits no longer for this one.

    Raises StaleTransition when the step is not as in `step`, Fenced for another's rollback.
    """
    event = rollbacks.read(connection, step.rollback_id)
    change_step(
        connection, event.run_id, step, decision.action.status, at,
        epoch=epoch, exit_code=step.exit_code, error_message=decision.sentence,
        actor=decision.actor,
    )  # fmt: skip
    if decision.action is StepAction.DONE:
        mark_rolled_back(
            connection, event.run_id, step.stage_name, step.rollback_id, at,
            component=step.component,
        )  # fmt: skip
    others = steps_of(connection, step.rollback_id)
    if all(other.status is not StepStatus.FAILED for other in others):
        rollbacks.update(connection, replace(event, waiting_since=None))
        settle_wait(connection, event.run_id, event.id, decision.sentence, to_text(at))
