"""The append-only record: every change of a status leaves one event in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.store.chain import Head, digest_of, last_event
from orchestrate_tui.store.connection import ImmediateConnection
from orchestrate_tui.store.occasions import note

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_INSERT = """
    INSERT INTO events
        (id, run_id, at, kind, stage_name, rollback_id, from_status, to_status, attempt, actor,
        detail, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

EventRow = tuple[
    int, str, str, str | None, int | None, str | None, str | None, int | None, str, str
]
"""run_id, at, kind, stage_name, rollback_id, from_status, to_status, attempt, actor, detail."""


def record_all(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> None:
    """Append several events to the chain, and note whom they are told."""
    known = isinstance(connection, ImmediateConnection) and connection.head
    head = known or last_event(connection)
    digest, chained = head.digest, []
    for event_id, row in enumerate(rows, start=head.event_id + 1):
        values = (event_id, *row)
        digest = digest_of(digest, values)
        chained.append((*values, digest))
    connection.executemany(_INSERT, chained)
    if isinstance(connection, ImmediateConnection):
        connection.head = Head(head.event_id + len(chained), digest)
    note(connection, rows)


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
    record_all(connection, (row,))
