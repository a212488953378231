"""Rehearsals of rollbacks: when there was one, by whom, and what was missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orchestrate_tui.domain.moments import from_text, to_text
from orchestrate_tui.errors import NotFound
from orchestrate_tui.store.record import record

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from orchestrate_tui.domain.rehearsal import Rehearsal, RehearsalReport

# What rehearsals are made of is loaded where there is one: every picture of a run asks for one.

_SUMMARY = (
    "SELECT id, run_id, failed_stage_name, rollback_to_stage, actor, started_at, completed_at,"
    " problems FROM rehearsals"
)
_encode = msgspec.json.Encoder().encode


def insert_rehearsal(
    connection: sqlite3.Connection,
    run_id: int,
    stages: tuple[str, str],
    actor: str,
    report: RehearsalReport,
    *,
    began_at: datetime,
    at: datetime,
) -> int:
    """Record a rehearsal; returns its id. `stages` are the failed one and the target, or ""."""
    from orchestrate_tui.domain.rehearsal import outcome_of  # noqa: PLC0415  (see above)

    count, ended_at = len(report.all_problems), to_text(at)
    rehearsal_id = connection.execute(
        "INSERT INTO rehearsals (run_id, failed_stage_name, rollback_to_stage, actor, started_at,"
        " completed_at, problems, report) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (run_id, *stages, actor, to_text(began_at), ended_at, count, _encode(report).decode()),
    ).lastrowid
    assert rehearsal_id is not None  # noqa: S101  (an INSERT always has one)
    record(
        connection, run_id, ended_at, "rehearsal", stage_name=stages[1] or None, actor=actor,
        detail=outcome_of(count),
    )  # fmt: skip
    return rehearsal_id


def last_rehearsal(connection: sqlite3.Connection, run_id: int) -> Rehearsal | None:
    """The newest rehearsal of a run; None when there was none."""
    query = f"{_SUMMARY} WHERE run_id = ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(query, (run_id,)).fetchone()
    return _rehearsal(row) if row else None


def read_rehearsal(connection: sqlite3.Connection, rehearsal_id: int) -> Rehearsal:
    """One rehearsal. Raises NotFound."""
    row = connection.execute(f"{_SUMMARY} WHERE id = ?", (rehearsal_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no rehearsal {rehearsal_id}")
    return _rehearsal(row)


def read_report(connection: sqlite3.Connection, rehearsal_id: int) -> RehearsalReport:
    """What a rehearsal found. Raises NotFound."""
    from orchestrate_tui.domain.rehearsal import RehearsalReport  # noqa: PLC0415  (see above)

    query = "SELECT report FROM rehearsals WHERE id = ?"
    row = connection.execute(query, (rehearsal_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no rehearsal {rehearsal_id}")
    return msgspec.json.decode(row["report"], type=RehearsalReport)


def _rehearsal(row: sqlite3.Row) -> Rehearsal:
    from orchestrate_tui.domain.rehearsal import Rehearsal  # noqa: PLC0415  (see above)

    return Rehearsal(
        id=row["id"],
        run_id=row["run_id"],
        failed_stage_name=row["failed_stage_name"],
        rollback_to_stage=row["rollback_to_stage"],
        actor=row["actor"],
        started_at=from_text(row["started_at"]),
        completed_at=from_text(row["completed_at"]),
        problems=row["problems"],
    )
