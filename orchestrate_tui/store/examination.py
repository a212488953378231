"""Looks at a database without changing it, and writes down who goes on with a damaged one."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.errors import NotFound, StoreError
from orchestrate_tui.store.connection import cannot_open, connect_writer
from orchestrate_tui.store.contradictions import contradictions, unknown_rows
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.head import make_head
from orchestrate_tui.store.locks import FileLock
from orchestrate_tui.store.loss import check_not_lost, is_absent
from orchestrate_tui.store.migrator import is_current
from orchestrate_tui.store.reading import Reader
from orchestrate_tui.store.schema import changed_schema, mend_schema
from orchestrate_tui.store.soundness import damaged, examine_record
from orchestrate_tui.store.verification import Verdict, move_mark

if TYPE_CHECKING:
    from datetime import datetime


def library_version() -> str:
    """The version of the SQLite library that this program uses."""
    return sqlite3.sqlite_version


def check_database(path: Path) -> str:
    """A sentence on a sound database. Raises StoreError for any other."""
    reader = Reader(path, lambda _: None, hands_off=True)
    try:
        is_up_to_date, answer = reader.read(partial(_look, path=path))
    finally:
        reader.close()
    if answer != "ok":
        raise StoreError(
            f"The database {path} is damaged: {answer}",
            next_step="Keep a copy of it, and restore a backup",
        )
    state = (
        "its schema is current" if is_up_to_date else "the next run brings its schema up to date"
    )
    return f"{path} is sound, {state}"


def _look(connection: sqlite3.Connection, path: Path) -> tuple[bool, str]:
    """Whether the schema is current, and what SQLite finds damaged; "ok" is nothing."""
    try:
        is_up_to_date = is_current(connection, path)
        (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if answer == "ok" and is_up_to_date:
            answer = _complaint(connection) or answer
    except sqlite3.DatabaseError as error:
        return False, str(error)
    return is_up_to_date, answer


def _complaint(connection: sqlite3.Connection) -> str:
    """What SQLite does not call damaged: the schema, and rows that belong to none."""
    if changed := changed_schema(connection):
        return f"its schema was changed: {', '.join(changed)}"
    if unknown := unknown_rows(connection):
        return f"rows are missing: there are {', '.join(unknown)}"
    return ""


def check_record(path: Path) -> str:
    """A sentence on a record whose events are all there as they were written.

    Raises StoreError that names those that are not.
    """
    files = StoreFiles(path)
    verdict = examine_record(files)
    if verdict.damage:
        raise damaged(files, verdict.damage)
    if found := _contradictions(files):
        raise StoreError(
            f"The record in {path} was not changed, but what it tells of was: {'; '.join(found)}",
            next_step="Restore a backup, or ask who has changed the database by hand",
        )
    accepted = f"; damage in {verdict.accepted} place(s) was accepted" if verdict.accepted else ""
    return f"{verdict.count} event(s), none changed and none missing{accepted}"


def _contradictions(files: StoreFiles) -> tuple[str, ...]:
    reader = Reader(files.database, lambda _: None, hands_off=True)
    try:
        return reader.read(lambda connection: _contradictions_in(connection, files.database))
    finally:
        reader.close()


def _contradictions_in(connection: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    return contradictions(connection) if is_current(connection, path) else ()


def accept_damage(path: Path, *, actor: str, reason: str, at: datetime) -> tuple[str, ...]:
    """Have a database used again although its record is damaged; what is wrong with it, if it is.

    It is written down, with who says so and why, and not complained of again. Triggers and indexes
    that were changed are mended, which loses nothing. Raises StoreError,
    or NotFound when there is no database.
    """
    files = StoreFiles(path)
    check_not_lost(files)
    if is_absent(path):
        raise NotFound(f"There is no database {path}", next_step="Name another one with --db")
    examine_record(files)
    lock = FileLock(files.write_lock)
    try:
        with lock.held():
            verdict = examine_record(files)
            mended = _accept(files, verdict, (actor, reason, to_text(at)))
    finally:
        lock.close()
    return (*(one.sentence for one in verdict.damage), *(f"{one} is mended" for one in mended))


def _accept(files: StoreFiles, verdict: Verdict, by: tuple[str, str, str]) -> tuple[str, ...]:
    """Write down what is damaged, and mend what can be; returns that."""
    rows = [(one.event_id, one.fingerprint, one.sentence, *by) for one in verdict.damage]
    connection = connect_writer(files.database)
    try:
        connection.execute("BEGIN")
        mended = mend_schema(connection) if is_current(connection, files.database) else ()
        if rows:
            connection.executemany(
                "INSERT OR IGNORE INTO accepted_damage VALUES (?, ?, ?, ?, ?, ?)", rows
            )
            move_mark(connection, verdict.end)
        connection.execute("COMMIT")
        if rows:
            make_head(files.head, verdict.end)
    except (sqlite3.Error, OSError) as error:
        raise cannot_open(files.database, error) from error
    finally:
        connection.close()
    return mended
