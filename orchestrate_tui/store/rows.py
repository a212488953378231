"""Rows of the database as values, once, at the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import DecodeError
from msgspec.json import decode, encode

from orchestrate_tui.domain.events import Event, RollbackEvent, RollbackStep
from orchestrate_tui.domain.moments import from_text
from orchestrate_tui.domain.run import (
    ApprovalRecord,
    Decision,
    Run,
    StageRun,
    TriggerContext,
)
from orchestrate_tui.domain.status import (
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
    StepStatus,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable
    from datetime import datetime


def moment(text: str | None) -> datetime | None:
    """The moment in a column that may be NULL."""
    return from_text(text) if text else None


def run_of(row: sqlite3.Row) -> Run:
    """A row of `runs`."""
    return Run(
        id=row["id"],
        pipeline=row["pipeline"],
        status=RunStatus(row["status"]),
        simulated=bool(row["simulated"]),
        trigger=_trigger_of(row),
        actor=row["actor"],
        definition_hash=row["definition_hash"],
        created_at=from_text(row["created_at"]),
        started_at=moment(row["started_at"]),
        completed_at=moment(row["completed_at"]),
        reason=row["reason"],
        epoch=row["epoch"],
        workdir=row["workdir"],
        pipeline_dir=row["pipeline_dir"],
        acknowledged_by=row["acknowledged_by"],
        acknowledged_at=moment(row["acknowledged_at"]),
        acknowledgement=row["acknowledgement"],
        pruned_at=moment(row["pruned_at"]),
    )


def _trigger_of(row: sqlite3.Row) -> TriggerContext:
    changed = row["changed"]
    return TriggerContext(
        event=row["trigger_event"],
        branch=row["branch"],
        labels=texts(row["labels"]),
        changed=None if changed is None else texts(changed),
        variables=_pairs(row["variables"]),
    )


def as_list(values: Collection[object]) -> str:
    """Texts, numbers or pairs of them as a list in JSON, as the database keeps it."""
    try:
        return encode([*values]).decode()
    except UnicodeEncodeError:  # bytes of a command line that were no text
        text: str = _json().dumps([*values])
        return text


def texts(content: str) -> tuple[str, ...]:
    """What a list of texts in JSON holds. Raises ValueError for anything else."""
    return _all_texts(_list_in(content))


def _pairs(content: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in map(_all_texts, _list_in(content)))


def _all_texts(found: object) -> tuple[str, ...]:
    listed = _listed(found)
    if all(isinstance(one, str) for one in listed):
        return tuple(listed)
    raise ValueError("not a list of texts")


def _list_in(content: str) -> list[Any]:
    try:
        return _listed(decode(content))
    except DecodeError:
        return _listed(_json().loads(content))


def _json() -> Any:
    """What also knows bytes that are no text; seldom needed, and no first picture waits for it."""
    import json  # noqa: PLC0415

    return json


def _listed(found: object) -> list[Any]:
    if isinstance(found, list):
        return found
    raise ValueError("not a list")


STAGE_COLUMNS = (
    "run_id, position, stage_name, agent, environment, status, attempt, reason, exit_code,"
    " requested_at, requested_boot, started_at, completed_at, rolled_back_by, waits_for"
)
"""The columns of `stages` that stage_of takes, in this order: by name they take twice as long."""


def stage_of(row: Iterable[Any]) -> StageRun:
    """A row of STAGE_COLUMNS."""
    (
        run_id, position, name, agent, environment, status, attempt, reason, exit_code,
        requested_at, requested_boot, started_at, completed_at, rolled_back_by, waits_for,
    ) = row  # fmt: skip
    return StageRun(
        run_id=run_id,
        stage_name=name,
        position=position,
        status=StageStatus(status),
        attempt=attempt,
        agent=agent,
        environment=environment,
        reason=reason,
        exit_code=exit_code,
        requested_at=moment(requested_at),
        requested_boot=requested_boot,
        started_at=moment(started_at),
        completed_at=moment(completed_at),
        rolled_back_by=rolled_back_by,
        waits_for=waits_for,
    )


def event_of(row: sqlite3.Row) -> Event:
    """A row of `events`."""
    return Event(
        id=row["id"],
        run_id=row["run_id"],
        at=from_text(row["at"]),
        kind=row["kind"],
        stage_name=row["stage_name"],
        rollback_id=row["rollback_id"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        attempt=row["attempt"],
        actor=row["actor"],
        detail=row["detail"],
    )


def rollback_of(row: sqlite3.Row) -> RollbackEvent:
    """A row of `rollback_events`."""
    return RollbackEvent(
        id=row["id"],
        run_id=row["run_id"],
        failed_stage_name=row["failed_stage_name"],
        rollback_to_stage=row["rollback_to_stage"],
        trigger_type=RollbackTriggerType(row["trigger_type"]),
        status=RollbackStatus(row["status"]),
        error_message=row["error_message"],
        started_at=moment(row["started_at"]),
        completed_at=moment(row["completed_at"]),
        created_at=from_text(row["created_at"]),
        actor=row["actor"],
        reason=row["reason"],
        components=texts(row["components"]),
        cascade=bool(row["cascade"]),
        retry_of=row["retry_of"],
        waits=bool(row["waits"]),
        waiting_since=moment(row["waiting_since"]),
        accept_irreversible=bool(row["accept_irreversible"]),
        plan=row["plan"],
        plan_hash=row["plan_hash"],
        epoch=row["epoch"],
        release_id=row["release_id"],
        definition_hash=row["definition_hash"],
    )


def step_of(row: sqlite3.Row) -> RollbackStep:
    """A row of `rollback_steps`."""
    return RollbackStep(
        rollback_id=row["rollback_id"],
        position=row["position"],
        stage_name=row["stage_name"],
        component=row["component"],
        environment=row["environment"],
        agent=row["agent"],
        task=row["task"],
        status=StepStatus(row["status"]),
        attempt=row["attempt"],
        exit_code=row["exit_code"],
        error_message=row["error_message"],
        started_at=moment(row["started_at"]),
        completed_at=moment(row["completed_at"]),
    )


def approval_of(row: sqlite3.Row) -> ApprovalRecord:
    """A row of `approvals`."""
    return ApprovalRecord(
        run_id=row["run_id"],
        stage_name=row["stage_name"],
        decision=Decision(row["decision"]),
        entry=row["entry"],
        actor=row["actor"],
        comment=row["comment"],
        decided_at=from_text(row["decided_at"]),
    )
