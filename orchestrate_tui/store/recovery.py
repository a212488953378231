"""What is true of the work of executors that died."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, to_text
from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    RollbackStatus,
    RunStatus,
    StageStatus,
    StepStatus,
)
from orchestrate_tui.store.fencing import read_owner
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.record import record
from orchestrate_tui.store.runs import StageChange, change_run, change_stages
from orchestrate_tui.store.workplaces import works_here

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.domain.run import Run, StageRun
    from orchestrate_tui.store.database import Database, StoreFiles

OWNER_DIED = "its executor died"
UNDER_WAY = frozenset({RunStatus.PENDING, RunStatus.RUNNING})
"""Runs that somebody works on, or will."""


def as_it_stands(run: Run, files: StoreFiles) -> Run:
    """The run, shown as interrupted when it is under way and its executor is gone.

    The executor may have ended the run after it was read; run_as_it_stands rules that out.
    """
    return run if is_alive(files, run.epoch) else left_by(frozenset({run.epoch}), run)


def lost_owners(connection: sqlite3.Connection, files: StoreFiles) -> frozenset[int | None]:
    """The executors that are gone and have left a run or a rollback under way.

    What is read of their work after this call is the last that they wrote.
    """
    query = """
        SELECT epoch FROM runs INDEXED BY runs_by_status WHERE status IN ('pending', 'running')
        UNION ALL SELECT epoch FROM rollback_events INDEXED BY rollback_events_by_status
            WHERE status = 'running'
    """
    owners = {row["epoch"] for row in connection.execute(query)}
    return frozenset(epoch for epoch in owners if not is_alive(files, epoch))


def unended_runs(connection: sqlite3.Connection) -> tuple[tuple[int, datetime], ...]:
    """The runs that have not ended, or a rollback of which has not: ids, and when created."""
    query = """
        SELECT id, created_at FROM runs INDEXED BY runs_by_status
            WHERE status IN ('pending', 'running', 'interrupted')
        UNION SELECT runs.id, runs.created_at
            FROM rollback_events AS event INDEXED BY rollback_events_by_status
            JOIN runs ON runs.id = event.run_id WHERE event.status IN ('pending', 'running')
    """
    return tuple((row["id"], from_text(row["created_at"])) for row in connection.execute(query))


def left_by(lost: frozenset[int | None], run: Run) -> Run:
    """The run, shown as interrupted when it is under way and its owner is one of `lost`."""
    if run.status in UNDER_WAY and run.epoch in lost:
        return replace(run, status=RunStatus.INTERRUPTED, reason=OWNER_DIED)
    return run


def stage_as_it_stands(stage: StageRun, run: Run) -> StageRun:
    """The stage, shown as interrupted when it was running in an interrupted run."""
    if run.status is RunStatus.INTERRUPTED and stage.status is StageStatus.RUNNING:
        return replace(stage, status=StageStatus.INTERRUPTED, reason=OWNER_DIED)
    return stage


def rollback_as_it_stands(event: RollbackEvent, lost: frozenset[int | None]) -> RollbackEvent:
    """The rollback, shown as left when it has not ended and its owner is lost."""
    is_left = event.status not in ENDED_ROLLBACKS and event.epoch in lost
    return replace(event, is_left=True) if is_left else event


def step_as_it_stands(
    step: RollbackStep, event: RollbackEvent, lost: frozenset[int | None]
) -> RollbackStep:
    """The step, shown as interrupted when it was running and its rollback's owner is lost."""
    is_under_way = event.status is RollbackStatus.RUNNING and step.status is StepStatus.RUNNING
    if is_under_way and event.epoch in lost:
        return replace(step, status=StepStatus.INTERRUPTED, error_message=OWNER_DIED)
    return step


def mark_interrupted(database: Database, at: datetime) -> tuple[int, ...]:
    """Mark every run under way whose executor is gone; returns their ids.

    Rollback steps that were under way are marked too. Never touches what belongs to an owner
    whose lock is held, or was removed. Raises StoreError.
    """
    if not database.read(partial(lost_owners, files=database.files)):
        return ()
    return database.write(partial(_mark, files=database.files, at=at))


def _mark(connection: sqlite3.Connection, files: StoreFiles, at: datetime) -> tuple[int, ...]:
    lost = frozenset(
        epoch
        for epoch in lost_owners(connection, files)
        if not works_here(files, read_owner(connection, epoch))
    )
    query = "SELECT id, epoch, status FROM runs WHERE status IN ('pending', 'running')"
    runs = [row for row in connection.execute(query).fetchall() if row["epoch"] in lost]
    for row in runs:
        interrupt(
            connection, row["id"], epoch=row["epoch"], expected=RunStatus(row["status"]),
            reason=OWNER_DIED, at=at,
        )  # fmt: skip
    _mark_steps(connection, lost, at)
    return tuple(row["id"] for row in runs)


def interrupt(
    connection: sqlite3.Connection,
    run_id: int,
    *,
    epoch: int,
    expected: RunStatus,
    reason: str,
    at: datetime,
) -> None:
    """Mark a run of `epoch`, and what runs of it, as interrupted.

    Raises StaleTransition when it is another's, or not `expected`.
    """
    change_stages(connection, run_id, epoch, _interruptions(connection, run_id, reason, at))
    change_run(
        connection, run_id, epoch=epoch, expected=expected,
        status=RunStatus.INTERRUPTED, at=at, reason=reason,
    )  # fmt: skip


def _interruptions(
    connection: sqlite3.Connection, run_id: int, reason: str, at: datetime
) -> tuple[StageChange, ...]:
    rows = connection.execute(
        "SELECT stage_name, position, attempt FROM stages WHERE run_id = ? AND status = 'running'",
        (run_id,),
    )
    return tuple(
        StageChange(
            stage_name=row["stage_name"],
            position=row["position"],
            attempt=row["attempt"],
            expected=StageStatus.RUNNING,
            status=StageStatus.INTERRUPTED,
            at=at,
            reason=reason,
        )
        for row in rows
    )


def _mark_steps(connection: sqlite3.Connection, lost: frozenset[int | None], at: datetime) -> None:
    """Mark steps that were under way; their rollbacks stay running until somebody resumes them."""
    rows = connection.execute(
        """
        SELECT step.rollback_id, step.position, step.stage_name, step.attempt,
            event.run_id, event.epoch
        FROM rollback_events AS event JOIN rollback_steps AS step ON step.rollback_id = event.id
        WHERE event.status = 'running' AND step.status = 'running'
        """
    ).fetchall()
    for row in rows:
        if row["epoch"] in lost:
            _mark_step(connection, row, at)


def _mark_step(connection: sqlite3.Connection, step: sqlite3.Row, at: datetime) -> None:
    connection.execute(
        "UPDATE rollback_steps SET status = 'interrupted', error_message = ?"
        " WHERE rollback_id = ? AND position = ?",
        (OWNER_DIED, step["rollback_id"], step["position"]),
    )
    record(
        connection, step["run_id"], to_text(at), "step", stage_name=step["stage_name"],
        rollback_id=step["rollback_id"], from_status=StepStatus.RUNNING,
        to_status=StepStatus.INTERRUPTED, attempt=step["attempt"], detail=OWNER_DIED,
    )  # fmt: skip
