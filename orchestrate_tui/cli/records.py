"""Values as JSON objects with the names of the schema."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrate_tui.domain.headings import environments_among
from orchestrate_tui.domain.moments import to_text

if TYPE_CHECKING:  # a command that prints other values does not load these
    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.domain.notification import Delivery, Notification
    from orchestrate_tui.domain.rehearsal import Rehearsal
    from orchestrate_tui.domain.release import Quarantine, Release
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.domain.run import ApprovalRecord, Run, StageRun
    from orchestrate_tui.store.history import History

JsonObject = dict[str, Any]


def print_json(value: Any) -> None:
    """Print one object or array on standard output; in ASCII, which is safe on any terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def run_record(history: History, run: Run) -> JsonObject:
    """A run with its stages and rollbacks; its variables are the pipeline's and those given."""
    return {
        "id": run.id,
        "pipeline": run.pipeline,
        "status": run.status,
        "simulated": run.simulated,
        "trigger_event": run.trigger.event,
        "branch": run.trigger.branch,
        "labels": run.trigger.labels,
        "changed": run.trigger.changed,
        "variables": dict((*history.definition(run.id).variables, *run.trigger.variables)),
        "actor": run.actor,
        "reason": run.reason,
        "acknowledged_by": run.acknowledged_by,
        "acknowledged_at": to_text(run.acknowledged_at) if run.acknowledged_at else None,
        "acknowledgement": run.acknowledgement,
        "pruned_at": _text(run.pruned_at),
        "created_at": to_text(run.created_at),
        "started_at": _text(run.started_at),
        "completed_at": _text(run.completed_at),
        "stages": [stage_record(stage) for stage in history.stages(run.id)],
        "approvals": [_approval_record(approval) for approval in history.approvals(run.id)],
        "rollbacks": [
            rollback_record(history, event) for event in history.rollbacks(run.id, limit=1000)
        ],
        "notifications": [notification_record(one) for one in history.notifications(run.id)],
        "last_rehearsal": _last_rehearsal(history, run),
    }


def _last_rehearsal(history: History, run: Run) -> JsonObject | None:
    # loads the store, which a command that prints no run does not need
    from orchestrate_tui.store.rehearsals import last_rehearsal  # noqa: PLC0415

    rehearsal = history.query(partial(last_rehearsal, run_id=run.id))
    return rehearsal_record(rehearsal) if rehearsal else None


def rehearsal_record(rehearsal: Rehearsal) -> JsonObject:
    """One rehearsal without its report; an empty target means each stage that ran."""
    return {
        "id": rehearsal.id,
        "run_id": rehearsal.run_id,
        "failed_stage_name": rehearsal.failed_stage_name or None,
        "rollback_to_stage": rehearsal.rollback_to_stage or None,
        "actor": rehearsal.actor,
        "started_at": to_text(rehearsal.started_at),
        "completed_at": to_text(rehearsal.completed_at),
        "is_well": rehearsal.is_well,
        "outcome": rehearsal.outcome,
    }


def stage_record(stage: StageRun) -> JsonObject:
    """One stage of a run."""
    return {
        "stage_name": stage.stage_name,
        "status": stage.status,
        "attempt": stage.attempt,
        "agent": stage.agent,
        "environment": stage.environment,
        "reason": stage.reason,
        "waits_for": stage.waits_for if stage.is_held else None,
        "exit_code": stage.exit_code,
        "started_at": _text(stage.started_at),
        "completed_at": _text(stage.completed_at),
        "rolled_back_by": stage.rolled_back_by,
    }


def _approval_record(approval: ApprovalRecord) -> JsonObject:
    return {
        "stage_name": approval.stage_name,
        "decision": approval.decision,
        "entry": approval.entry,
        "actor": approval.actor,
        "comment": approval.comment,
        "decided_at": to_text(approval.decided_at),
    }


def rollback_record(history: History, event: RollbackEvent) -> JsonObject:
    """One rollback with its steps; `interrupted` says that nobody carries it out any more.

    `waits_for` is whom it waits for before it begins, or what it needs a decision about. The
    actor of an automatic one is None: nobody asked for it.
    """
    # loads the store, which a command that prints no rollback does not need
    from orchestrate_tui.store.rollback_steps import waits_for  # noqa: PLC0415

    steps = history.steps(event.id or 0)
    return {
        "id": event.id,
        "run_id": event.run_id,
        "failed_stage_name": event.failed_stage_name,
        "rollback_to_stage": event.rollback_to_stage,
        "trigger_type": event.trigger_type,
        "status": event.status,
        "interrupted": event.is_left,
        "error_message": event.error_message,
        "started_at": _text(event.started_at),
        "completed_at": _text(event.completed_at),
        "created_at": to_text(event.created_at),
        "actor": event.actor or None,
        "reason": event.reason,
        "components": event.components,
        "cascade": event.cascade,
        "environments": environments_among(step.environment for step in steps),
        "retry_of": event.retry_of,
        "waits": event.waits,
        "waiting_since": _text(event.waiting_since),
        "waits_for": history.query(partial(waits_for, event=event)) or None,
        "release_id": event.release_id,
        "definition_hash": event.definition_hash,
        "steps": [_step_record(step) for step in steps],
    }


def release_record(release: Release) -> JsonObject:
    """One release."""
    return {
        "id": release.id,
        "pipeline": release.pipeline,
        "environment": release.environment,
        "component": release.component,
        "version": release.version or None,
        "run_id": release.run_id,
        "stage_name": release.stage_name,
        "definition_hash": release.definition_hash,
        "created_at": to_text(release.created_at),
        "undone_by": release.undone_by,
        "is_current": release.is_current,
        "quarantine": release.quarantine,
        "pruned_at": _text(release.pruned_at),
        "outputs": dict(release.outputs),
        "pinned_by": release.pinned_by,
        "pinned_at": _text(release.pinned_at),
        "pin_reason": release.pin_reason,
    }


def quarantine_record(quarantine: Quarantine) -> JsonObject:
    """One version that was rolled back."""
    return {
        "id": quarantine.id,
        "pipeline": quarantine.pipeline,
        "environment": quarantine.environment,
        "component": quarantine.component,
        "version": quarantine.version,
        "run_id": quarantine.run_id,
        "rollback_id": quarantine.rollback_id,
        "created_at": to_text(quarantine.created_at),
        "lifted_by": quarantine.lifted_by,
        "lifted_at": _text(quarantine.lifted_at),
        "lift_reason": quarantine.lift_reason,
    }


def _step_record(step: RollbackStep) -> JsonObject:
    return {
        "position": step.position,
        "stage_name": step.stage_name,
        "component": step.component,
        "environment": step.environment,
        "agent": step.agent,
        "task": step.task,
        "status": step.status,
        "attempt": step.attempt,
        "exit_code": step.exit_code,
        "error_message": step.error_message,
        "started_at": _text(step.started_at),
        "completed_at": _text(step.completed_at),
    }


def notification_record(one: Notification) -> JsonObject:
    """One notification with its deliveries; `due_at` is when somebody else is told next."""
    return {
        "id": one.id,
        "run_id": one.run_id,
        "occasion": one.occasion,
        "stage_name": one.stage_name,
        "rollback_id": one.rollback_id,
        "detail": one.detail,
        "steps": one.step,
        "due_at": _text(one.due_at),
        "created_at": to_text(one.created_at),
        "ended_at": _text(one.ended_at),
        "outcome": one.outcome,
        "deliveries": [_delivery_record(delivery) for delivery in one.deliveries],
    }


def _delivery_record(delivery: Delivery) -> JsonObject:
    return {
        "step": delivery.step,
        "channel": delivery.channel,
        "status": delivery.status,
        "attempt": delivery.attempt,
        "error": delivery.error,
        "due_at": _text(delivery.due_at),
        "started_at": _text(delivery.started_at),
        "completed_at": _text(delivery.completed_at),
    }


def plan_record(plan: RollbackPlan) -> JsonObject:
    """A rollback plan; its steps are in their order."""
    return {
        "failed_stage": plan.failed_stage,
        "target": plan.target,
        "steps": [
            {
                "stage_name": step.stage_name,
                "component": step.component,
                "environment": step.environment,
                "agent": step.agent,
                "task": step.task,
                "restores": step.restores,
                "changes": [
                    {
                        "change": one.fate,
                        "path": one.path,
                        "size_now": one.now,
                        "size_then": one.then,
                        "diff": one.diff,
                    }
                    for one in step.changes
                ],
                "unlisted_changes": step.unlisted,
                "obstacles": step.obstacles,
                "irreversible": step.irreversible,
                "from_version": step.from_version or None,
                "to_version": step.to_version or None,
                "release": step.release,
            }
            for step in plan.steps
        ],
        "skipped": [
            {"stage_name": skip.stage_name, "component": skip.component, "reason": skip.reason}
            for skip in plan.skipped
        ],
        "warnings": plan.warnings,
        "irreversible": plan.irreversible,
        "overwrites": plan.overwrites,
        "newer": plan.newer,
        "components": plan.components,
        "cascade": plan.cascade,
        "environments": plan.environments,
        "refusal": plan.refusal,
        "definition": plan.definition or None,
        "differences": plan.differences,
        "hash": plan.hash,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
