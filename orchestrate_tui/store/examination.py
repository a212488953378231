"""Looks at a database without changing it."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.migrator import is_current
from orchestrate_tui.store.reading import Reader


def library_version() -> str:
    """The version of the SQLite library that this program uses."""
    return sqlite3.sqlite_version


def quick_check(path: Path) -> str:
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
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return False, str(error)
    return is_up_to_date, answer
