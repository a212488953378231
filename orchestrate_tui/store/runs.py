"""Runs and their stages: creating them, and changing them under guard.

Every change says which status, and which owner, it expects to find. When it finds another, it
raises StaleTransition and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.status import (
    ENDED_RUNS,
    ENDED_STAGES,
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    RunStatus,
    StageStatus,
)
from orchestrate_tui.domain.value import value
from orchestrate_tui.errors import NotFound, StaleTransition
from orchestrate_tui.store.definitions import insert_definition
from orchestrate_tui.store.fencing import check_owner
from orchestrate_tui.store.occasions import keep_rules
from orchestrate_tui.store.record import record, record_all
from orchestrate_tui.store.rows import as_list
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3

    from orchestrate_tui.domain.pipeline import Pipeline
    from orchestrate_tui.domain.run import TriggerContext


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """Everything that is known of a run before it starts. `epoch` is its first owner."""

    pipeline: Pipeline
    source: str
    trigger: TriggerContext
    actor: str
    simulated: bool
    workdir: str
    pipeline_dir: str
    epoch: int
    at: datetime


@value
class StageChange:
    """One guarded step of one stage. `attempt` is the attempt it is about; see StageRun.

    The first `requested_boot` is kept.
    """

    stage_name: str
    position: int
    expected: StageStatus
    status: StageStatus
    at: datetime
    attempt: int = 0
    reason: str = ""
    exit_code: int | None = None
    actor: str = ""
    outputs: tuple[tuple[str, str], ...] = ()
    requested_boot: str = ""


def insert_run(connection: sqlite3.Connection, new: NewRun) -> int:
    """Record a run and its stages, all pending; returns the id of the run."""
    at = to_text(new.at)
    trigger = new.trigger
    digest = insert_definition(connection, new.pipeline, new.source, at)
    cursor = connection.execute(
        """
        INSERT INTO runs (pipeline, definition_hash, status, simulated, trigger_event, branch,
            labels, changed, variables, actor, workdir, pipeline_dir, epoch, created_at)
        VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            new.pipeline.name,
            digest,
            new.simulated,
            trigger.event,
            trigger.branch,
            as_list(trigger.labels),
            None if trigger.changed is None else as_list(trigger.changed),
            as_list(trigger.variables),
            new.actor,
            new.workdir,
            new.pipeline_dir,
            new.epoch,
            at,
        ),
    )
    run_id = cursor.lastrowid
    assert run_id is not None  # noqa: S101  (an INSERT always has one)
    connection.executemany(
        "INSERT INTO stages (run_id, position, stage_name, agent, environment)"
        " VALUES (?, ?, ?, ?, ?)",
        [
            (run_id, position, stage.name, stage.agent, stage.environment)
            for position, stage in enumerate(new.pipeline.stages)
        ],
    )
    if new.pipeline.notify and not new.simulated:
        keep_rules(connection, run_id, new.pipeline)
    record(connection, run_id, at, "run", to_status=RunStatus.PENDING, actor=new.actor)
    return run_id


def change_run(
    connection: sqlite3.Connection,
    run_id: int,
    *,
    epoch: int | None,
    expected: RunStatus,
    status: RunStatus,
    at: datetime,
    reason: str = "",
    actor: str = "",
) -> None:
    """Bring a run from `expected` to `status`; `epoch` None claims no ownership.

    Raises StaleTransition when it is in another status or has another owner.
    """
    if status not in RUN_TRANSITIONS[expected]:
        raise StaleTransition(f"Run {run_id} cannot go from {expected} to {status}")
    moment = to_text(at)
    changed = connection.execute(
        """
        UPDATE runs SET status = ?, reason = ?, started_at = coalesce(started_at, ?),
            completed_at = ?,
            acknowledged_by = NULL, acknowledged_at = NULL, acknowledgement = ''
        WHERE id = ? AND status = ? AND (? IS NULL OR epoch = ?)
        """,
        (
            status,
            reason,
            moment if status is RunStatus.RUNNING else None,
            moment if status in ENDED_RUNS else None,
            run_id,
            expected,
            epoch,
            epoch,
        ),
    ).rowcount
    if not changed:
        raise StaleTransition(
            f"Run {run_id} is no longer {expected}, or another executor owns it",
            next_step=f"See it with: orchestrate-tui show {run_id}",
        )
    record(
        connection, run_id, moment, "run",
        from_status=expected, to_status=status, actor=actor, detail=reason,
    )  # fmt: skip


def check_run(connection: sqlite3.Connection, run_id: int) -> None:
    """Raise NotFound unless the run is in the database."""
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is None:
        raise unknown_run(run_id)


def unknown_run(run_id: int) -> NotFound:
    """The error an operator sees who asks for a run that is not in the database."""
    return NotFound(f"There is no run {run_id}", next_step="List them with: orchestrate-tui runs")


_CHANGE_STAGE = """
    UPDATE stages SET status = ?, attempt = max(attempt, ?), reason = ?, exit_code = ?,
        requested_at = coalesce(requested_at, ?),
        requested_boot = coalesce(nullif(requested_boot, ''), ?),
        started_at = CASE WHEN ? THEN NULL ELSE coalesce(started_at, ?) END,
        completed_at = ?, waits_for = ''
    WHERE run_id = ? AND position = ? AND status = ?
"""


def change_stages(
    connection: sqlite3.Connection, run_id: int, epoch: int, changes: Sequence[StageChange]
) -> None:
    """Carry out all of `changes` or none of them.

    Raises Fenced when the run has another owner, StaleTransition when a stage has another status.
    """
    check_owner(connection, run_id, epoch)
    updates, events = [], []
    for change in changes:
        if change.status not in STAGE_TRANSITIONS[change.expected]:
            raise StaleTransition(
                f"Stage '{change.stage_name}' cannot go from {change.expected} to {change.status}"
            )
        # SQLite takes a plain text in half the time in which it takes a member of an enumeration
        before, after, at = str(change.expected), str(change.status), to_text(change.at)
        updates.append(
            (
                after, change.attempt, change.reason, change.exit_code,
                at if change.status is StageStatus.WAITING_APPROVAL else None,
                change.requested_boot,
                int(change.status is StageStatus.SKIPPED),
                at if change.status is StageStatus.RUNNING else None,
                at if change.status in ENDED_STAGES else None,
                run_id, change.position, before,
            )
        )  # fmt: skip
        events.append(
            (
                run_id, at, "stage", change.stage_name, None,
                before, after, change.attempt, change.actor, change.reason,
            )
        )  # fmt: skip
    if connection.executemany(_CHANGE_STAGE, updates).rowcount != len(updates):
        raise StaleTransition(
            f"A stage of run {run_id} is not in the status that was expected",
            next_step=f"See it with: orchestrate-tui show {run_id}",
        )
    record_all(connection, events)
    outputs = [
        (run_id, change.stage_name, key, value)
        for change in changes
        for key, value in change.outputs
    ]
    if outputs:
        connection.executemany("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?)", outputs)
