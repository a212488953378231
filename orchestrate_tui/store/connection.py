"""Connections to the database: one kind that writes, one that only reads."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from msgspec import MsgspecError

from orchestrate_tui.errors import NoRoom, StoreError
from orchestrate_tui.store.accounts import current_user

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.chain import Head

BUSY_TIMEOUT_S = 30.0
MAKE_ROOM = "Free some space, and look meanwhile with: orchestrate-tui --read-only"
_LEAST_ROOM_BYTES = 64 * 1024

_LOG_PAGES = 256
"""After so many pages the write-ahead log is begun anew, a quarter of what SQLite does by itself.

What is written over is safe on the disk sooner than what makes a file longer: it has its place.
"""

SENSELESS = (LookupError, MsgspecError, RecursionError, TypeError, ValueError)
"""What is raised for a value that makes no sense: nobody wrote it, the database is damaged."""

Connection = sqlite3.Connection
"""What queries and changes are made with, for those who only pass it on."""


class ImmediateConnection(sqlite3.Connection):
    """A connection whose transactions take the write lock at once.

    A deferred transaction that reads before it writes fails with "database is locked" the
    moment somebody else wrote in between, and no busy timeout helps.
    """

    head: Head | None = None
    """Where the chain of events ends in the present transaction; None until that is asked."""

    has_noted: bool = False
    """Whether something was noted that somebody is to be told of."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute `sql`; a plain BEGIN becomes BEGIN IMMEDIATE."""
        return super().execute("BEGIN IMMEDIATE" if sql == "BEGIN" else sql, parameters)


def make_file(path: Path) -> None:
    """Make the database's file, for its owner alone, unless it is there.

    SQLite gives the files beside it the same mode. An existing file is not opened: closing it
    would drop the locks that SQLite holds on it for other connections of this process.
    Raises OSError, or StoreError for what is no file.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        if not path.is_file():
            raise cannot_open(path, "it is not a file") from error


def connect_writer(path: Path) -> ImmediateConnection:
    """A connection for the one thread that writes. Raises StoreError."""
    try:
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            factory=ImmediateConnection,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise cannot_open(path, error) from error
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute("PRAGMA foreign_keys = ON")
        # Without it a REPLACE deletes a row and fires no trigger that forbids it.
        connection.execute("PRAGMA recursive_triggers = ON")
    except (sqlite3.Error, UnicodeDecodeError) as error:  # what it says may be no text
        connection.close()
        raise cannot_open(path, error) from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; it belongs to the thread that opens it.

    Raises StoreError.
    """
    if path.is_dir():
        raise cannot_open(path, "it is a folder")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    except sqlite3.Error as error:
        raise cannot_open(path, error) from error
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.Error as error:
        connection.close()
        raise cannot_open(path, error) from error
    return connection


def cannot_open(path: Path, error: Exception | str) -> StoreError:
    """The error an operator sees when `path` is no database that can be used."""
    if isinstance(error, Exception) and _is_full(path.parent):
        return NoRoom(f"Cannot use the database {path}: the disk is full", next_step=MAKE_ROOM)
    return StoreError(
        f"Cannot use the database {path}: {error}",
        next_step="Check the path and its permissions, or name another one with --db",
    )


def _is_full(folder: Path) -> bool:
    """Whether there is no room for the files that SQLite needs beside a database.

    Where nothing can be written at all, as below /proc or on an image, room is not what is missing.
    """
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    takes_files = found.f_blocks and not found.f_flag & os.ST_RDONLY
    return bool(takes_files) and found.f_bfree * found.f_frsize < _LEAST_ROOM_BYTES


def may_not_read(path: Path) -> StoreError:
    """The error a user sees whom the database's owner does not let read it."""
    return StoreError(
        f"You ({current_user()}) may not read the database {path}",
        next_step="Ask its owner to share it (share_group) or to publish a copy for you",
    )


def cannot_read(path: Path, error: Exception) -> StoreError:
    """The error an operator sees when a database that was opened can no longer be read."""
    return StoreError(
        f"The database {path} could not be read: {error}",
        next_step="Try again; if it stays so, check with: orchestrate-tui doctor",
    )
