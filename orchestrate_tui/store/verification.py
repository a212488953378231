"""Goes along the chain of events and names what is wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from orchestrate_tui.store.chain import COLUMNS, START, Head, digest_of
from orchestrate_tui.store.digests import sha256
from orchestrate_tui.store.head import UNREADABLE
from orchestrate_tui.values import dataclass

_ROWS_AT_ONCE = 1000
_QUERY = f"SELECT {COLUMNS}, hash FROM events WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608

_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One place where the chain is broken; `fingerprint` is the same only for the same damage."""

    event_id: int
    fingerprint: bytes
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found along a chain: where it ends, how many events were read, what is wrong.

    `accepted` counts what is wrong too, but was accepted by somebody.
    """

    end: Head
    count: int
    accepted: int = 0
    damage: tuple[Damage, ...] = ()


def has_chain(connection: sqlite3.Connection) -> bool:
    """Whether the events of the database have hashes; those of earlier versions have none."""
    query = "SELECT 1 FROM sqlite_master WHERE name = 'verified_events'"
    return connection.execute(query).fetchone() is not None


def verified_mark(connection: sqlite3.Connection) -> Head:
    """Up to where the chain was found whole before; the start if that cannot be told."""
    row = connection.execute("SELECT event_id, hash FROM verified_events").fetchone()
    if row is None or row[0] == 0:
        return START
    stored = connection.execute("SELECT hash FROM events WHERE id = ?", (row[0],)).fetchone()
    return Head(*row) if stored is not None and stored[0] == row[1] else START


def move_mark(connection: sqlite3.Connection, end: Head) -> None:
    """Let the next verification begin after `end`."""
    connection.execute(
        "INSERT INTO verified_events VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET event_id = excluded.event_id, hash = excluded.hash",
        (end.event_id, end.digest),
    )


def verify(
    connection: sqlite3.Connection, after: Head = START, *, limit: int | None = None
) -> Verdict:
    """Read every event after `after`, which is taken for right, and compare its hash.

    `limit` None means no limit. What somebody has accepted is not named again. Raises
    sqlite3.Error for what cannot be read.
    """
    try:
        walk = _walk(connection, after, limit)
    except sqlite3.OperationalError:  # what is no text, perhaps
        with _raw_text(connection):
            walk = _walk(connection, after, limit)
    query = "SELECT event_id, fingerprint FROM accepted_damage"
    accepted = set(map(tuple, connection.execute(query)))
    found = walk.end()
    damage = tuple(one for one in found if (one.event_id, one.fingerprint) not in accepted)
    return Verdict(
        end=walk.head, count=walk.count, accepted=len(found) - len(damage), damage=damage
    )


def _walk(connection: sqlite3.Connection, after: Head, limit: int | None) -> _Walk:
    walk = _Walk(after)
    for row in _rows(connection, after.event_id, limit):
        walk.take(row)
    return walk


def missing_end(connection: sqlite3.Connection, head: Head | None, name: str) -> Damage | None:
    """What is wrong with the end of the events; None if nothing is.

    `head` was read from the file `name` before the connection read anything.
    """
    if head is None or head == UNREADABLE:
        sentence = f"{name} is missing or unreadable: whether the last events are lost is unknown"
        return Damage(event_id=0, fingerprint=b"", sentence=sentence)
    if head.event_id == 0:
        return None
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
    if head.event_id > last:
        sentence = f"{_span(last + 1, head.event_id)} lost, though committed"
        return Damage(event_id=head.event_id, fingerprint=head.digest, sentence=sentence)
    row = connection.execute("SELECT hash FROM events WHERE id = ?", (head.event_id,)).fetchone()
    if row is not None and row[0] == head.digest:
        return None
    sentence = f"event {head.event_id} is not the one that {name} names"
    return Damage(event_id=head.event_id, fingerprint=head.digest, sentence=sentence)


@dataclass(slots=True)
class _Walk:
    """Compares one event after the other.

    Behind a broken one the chain is taken up where it fits again: after the hash that is stored
    there, after the one that should be, or, when the event was inserted, after the one before it.
    """

    head: Head
    count: int = 0
    _found: list[Damage] = field(default_factory=list)
    _suspect: tuple[_Row, bytes, bytes] | None = None

    def take(self, row: _Row) -> None:
        """Look at the next event."""
        *values, stored = row
        self.count += 1
        if self._suspect is not None and self._clears_up(tuple(values), stored):
            self.head = Head(values[0], stored)
            return
        if _digest(self.head.digest, tuple(values)) == stored:
            self.head = Head(values[0], stored)
            return
        self._miss(row)

    def end(self) -> list[Damage]:
        """Everything that is wrong, in the order of the events."""
        self._settle("was changed, or not written by this program")
        return self._found

    def _miss(self, row: _Row) -> None:
        """Note an event that does not follow the one before it."""
        self._settle("was changed")
        event_id, stored = row[0], row[-1]
        expected = self.head.event_id + 1
        if event_id > expected:
            self._note(row, expected, f"{_span(expected, event_id - 1)} missing")
        else:
            self._suspect = (row, self.head.digest, _digest(self.head.digest, row[:-1]))
        self.head = Head(event_id, stored if isinstance(stored, bytes) else b"")

    def _clears_up(self, values: _Row, stored: object) -> bool:
        """Whether an event shows what is wrong with the suspect before it."""
        if self._suspect is None:
            return False
        _, before, expected = self._suspect
        if _digest(before, values) == stored:
            self._settle("was inserted")
        elif stored in {_digest(self.head.digest, values), _digest(expected, values)}:
            self._settle("was changed")
        else:
            return False
        return True

    def _settle(self, what: str) -> None:
        if self._suspect is not None:
            row, self._suspect = self._suspect[0], None
            self._note(row, row[0], f"event {row[0]} {what}")

    def _note(self, row: _Row, event_id: int, sentence: str) -> None:
        fingerprint = sha256(repr(row).encode(errors="backslashreplace")).digest()
        self._found.append(Damage(event_id=event_id, fingerprint=fingerprint, sentence=sentence))


def _digest(previous: bytes, values: _Row) -> bytes:
    """The hash of an event; b"" for values that no event can have."""
    try:
        return digest_of(previous, values)
    except (UnicodeEncodeError, OverflowError):
        return b""


def _rows(connection: sqlite3.Connection, after: int, limit: int | None) -> Iterator[_Row]:
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute(_QUERY, (after, -1 if limit is None else limit))
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield from rows


@contextmanager
def _raw_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Let text be read that is not valid UTF-8."""
    before = connection.text_factory
    connection.text_factory = lambda content: content.decode(errors="surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = before


def _span(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
