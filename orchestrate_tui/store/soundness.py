"""Whether the record of a database is whole, found without changing anything.

It is looked at through connections that cannot write, which leave a log of SQLite's beside the
database as it is: what may still be saved from it is not thrown away.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import START, Head
from orchestrate_tui.store.head import read_head
from orchestrate_tui.store.loss import check_none_named
from orchestrate_tui.store.migrator import is_current
from orchestrate_tui.store.reading import Reader
from orchestrate_tui.store.verification import (
    Damage,
    Verdict,
    has_chain,
    missing_end,
    verified_mark,
    verify,
)

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from orchestrate_tui.store.database import StoreFiles

_MOST_NAMED = 5
ACCEPT = "orchestrate-tui doctor --accept-damage REASON"


def examine_record(files: StoreFiles) -> Verdict:
    """What there is to say of all events, whatever state the files are in. Raises StoreError."""
    reader = Reader(files.database, partial(_check, path=files.database), hands_off=True)
    try:
        return reader.read(partial(verdict_on, files=files, after=START))
    finally:
        reader.close()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    is_current(connection, path)


def verdict_on(connection: sqlite3.Connection, files: StoreFiles, after: Head | None) -> Verdict:
    """What there is to say of the events after `after`, and of their end.

    `after` None means after those that were verified before. A database without a chain yet has
    an empty one, unless the head beside it names an event. Raises sqlite3.Error, or StoreError for
    a database that is not to be used.
    """
    head = read_head(files.head)  # before the database: it may go on meanwhile
    return verdict_with(connection, files, after, head)


def verdict_with(
    connection: sqlite3.Connection, files: StoreFiles, after: Head | None, head: Head | None
) -> Verdict:
    """The same with the head that was read before; the connection may be one to a copy."""
    is_current(connection, files.database)
    if not has_chain(connection):
        check_none_named(files, head)
        return Verdict(end=START, count=0)
    connection.execute("BEGIN")
    try:
        verdict = _verdict(connection, after)
        end = missing_end(connection, head, files.head.name)
    finally:
        connection.execute("ROLLBACK")
    return verdict if end is None else replace(verdict, damage=(*verdict.damage, end))


def _verdict(connection: sqlite3.Connection, after: Head | None) -> Verdict:
    verdict = verify(connection, verified_mark(connection) if after is None else after)
    if verdict.damage and after != START:
        return verify(connection)  # so that it is named rightly
    return verdict


def damaged(files: StoreFiles, damage: tuple[Damage, ...]) -> StoreError:
    """The error an operator sees whose record is not what was written."""
    return StoreError(
        f"The record in {files.database} is damaged: {in_words(damage)}",
        next_step="Restore a backup, or keep a copy and go on with what is left: " + ACCEPT,
    )


def in_words(damage: tuple[Damage, ...]) -> str:
    """The first few places, and how many more there are."""
    named = "; ".join(one.sentence for one in damage[:_MOST_NAMED])
    more = len(damage) - _MOST_NAMED
    return f"{named}; and {more} more" if more > 0 else named
