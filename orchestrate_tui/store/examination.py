"""Looks at a database without changing it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.connection import connect_reader
from orchestrate_tui.store.migrator import is_current


def library_version() -> str:
    """The version of the SQLite library that this program uses."""
    return sqlite3.sqlite_version


def quick_check(path: Path) -> str:
    """A sentence on a sound database. Raises StoreError for any other."""
    connection = connect_reader(path)
    try:
        is_up_to_date = is_current(connection, path)
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        answer, is_up_to_date = str(error), False
    finally:
        connection.close()
    if answer != "ok":
        raise StoreError(
            f"The database {path} is damaged: {answer}",
            next_step="Keep a copy of it, and restore a backup",
        )
    state = (
        "its schema is current" if is_up_to_date else "the next run brings its schema up to date"
    )
    return f"{path} is sound, {state}"
