"""What is true of the work of executors that died."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.record import record
from orchestrate_tui.store.runs import StageChange, change_run, change_stages

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from orchestrate_tui.domain.run import Run, StageRun
    from orchestrate_tui.store.database import Database, StoreFiles

_OWNER_DIED = "its executor died"
_UNDER_WAY = frozenset({RunStatus.PENDING, RunStatus.RUNNING})


def as_it_stands(run: Run, files: StoreFiles) -> Run:
    """The run, shown as interrupted when it is under way and its executor is gone."""
    if run.status in _UNDER_WAY and not is_alive(files, run.epoch):
        return replace(run, status=RunStatus.INTERRUPTED, reason=_OWNER_DIED)
    return run


def stage_as_it_stands(stage: StageRun, run: Run) -> StageRun:
    """The stage, shown as interrupted when it was running in an interrupted run."""
    if run.status is RunStatus.INTERRUPTED and stage.status is StageStatus.RUNNING:
        return replace(stage, status=StageStatus.INTERRUPTED, reason=_OWNER_DIED)
    return stage


def mark_interrupted(database: Database, at: datetime) -> tuple[int, ...]:
    """Mark every run under way whose executor is gone; returns their ids.

    Never touches a run whose owner's lock is held.
    """
    lost = database.read(lambda connection: _lost_runs(connection, database.files))
    if not lost:
        return ()
    return database.write(lambda connection: _mark(connection, database.files, at))


def _lost_runs(
    connection: sqlite3.Connection, files: StoreFiles
) -> tuple[tuple[int, int, RunStatus], ...]:
    rows = connection.execute(
        "SELECT id, epoch, status FROM runs WHERE status IN ('pending', 'running')"
    ).fetchall()
    return tuple(
        (row["id"], row["epoch"], RunStatus(row["status"]))
        for row in rows
        if not is_alive(files, row["epoch"])
    )


def _mark(connection: sqlite3.Connection, files: StoreFiles, at: datetime) -> tuple[int, ...]:
    lost = _lost_runs(connection, files)
    for run_id, epoch, status in lost:
        change_stages(connection, run_id, epoch, _interruptions(connection, run_id, at))
        change_run(
            connection, run_id, epoch=epoch, expected=status, status=RunStatus.INTERRUPTED,
            at=at, reason=_OWNER_DIED,
        )  # fmt: skip
    _mark_steps(connection, files, at)
    return tuple(run_id for run_id, _, _ in lost)


def _interruptions(
    connection: sqlite3.Connection, run_id: int, at: datetime
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
            reason=_OWNER_DIED,
        )
        for row in rows
    )


def _mark_steps(connection: sqlite3.Connection, files: StoreFiles, at: datetime) -> None:
    """Steps that were under way in rollbacks whose executor is gone; the event stays running."""
    rows = connection.execute(
        """
        SELECT step.rollback_id, step.position, step.stage_name, event.run_id, event.epoch
        FROM rollback_events AS event JOIN rollback_steps AS step ON step.rollback_id = event.id
        WHERE event.status = 'running' AND step.status = 'running'
        """
    ).fetchall()
    for row in rows:
        if is_alive(files, row["epoch"]):
            continue
        connection.execute(
            "UPDATE rollback_steps SET status = 'interrupted'"
            " WHERE rollback_id = ? AND position = ?",
            (row["rollback_id"], row["position"]),
        )
        record(
            connection, row["run_id"], to_text(at), "step", stage_name=row["stage_name"],
            rollback_id=row["rollback_id"], from_status="running", to_status="interrupted",
            detail=_OWNER_DIED,
        )  # fmt: skip
