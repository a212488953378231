"""The append-only record: every change of a status leaves one event in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_INSERT = """
    INSERT INTO events
        (run_id, at, kind, stage_name, rollback_id, from_status, to_status, attempt, actor, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

EventRow = tuple[
    int, str, str, str | None, int | None, str | None, str | None, int | None, str, str
]
"""run_id, at, kind, stage_name, rollback_id, from_status, to_status, attempt, actor, detail."""


def record_all(connection: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    """Append several events."""
    connection.executemany(_INSERT, rows)


def record(
    connection: sqlite3.Connection,
    run_id: int,
    at: str,
    kind: str,
    *,
    stage_name: str | None = None,
    rollback_id: int | None = None,
    from_status: str | None = None,
    to_status: str | None = None,
    attempt: int | None = None,
    actor: str = "",
    detail: str = "",
) -> None:
    """Append one event."""
    row = (
        run_id, at, kind, stage_name, rollback_id, from_status, to_status, attempt, actor, detail,
    )  # fmt: skip
    connection.execute(_INSERT, row)
