"""The chain through all events: the hash of each covers the hash before it and its own values.

A value changed, an event inserted, moved or taken out breaks it at that place. What it cannot show
by itself is that its last events are gone; the file beside the database is for that, see `head`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.msgpack import encode

from orchestrate_tui.store.digests import sha256
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3

COLUMNS = (
    "id, run_id, at, kind, stage_name, rollback_id, from_status, to_status, attempt, actor, detail"
)
"""The columns of `events` that a hash covers, in this order."""

_SEALED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the id of its last event, and that event's hash."""

    event_id: int
    digest: bytes


START = Head(0, bytes(32))
"""The end of a chain without events."""


def digest_of(previous: bytes, values: tuple[Any, ...]) -> bytes:
    """The hash of an event, from the one before it and the values of COLUMNS.

    Raises UnicodeEncodeError for text that no event can hold.
    """
    return sha256(previous + encode(values)).digest()


def last_event(connection: sqlite3.Connection) -> Head:
    """The end of the chain as the database has it."""
    query = "SELECT id, hash FROM events ORDER BY id DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return START if row is None else Head(*row)


def seal(connection: sqlite3.Connection) -> None:
    """Give every event its hash, in a database whose events have none."""
    head = START
    reader = connection.cursor()
    reader.row_factory = None
    while rows := reader.execute(
        f"SELECT {COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
        (head.event_id, _SEALED_AT_ONCE),
    ).fetchall():
        sealed = []
        for row in rows:
            head = Head(row[0], digest_of(head.digest, row))
            sealed.append((head.digest, head.event_id))
        connection.executemany("UPDATE events SET hash = ? WHERE id = ?", sealed)
    connection.execute("INSERT INTO verified_events VALUES (1, ?, ?)", (head.event_id, head.digest))
