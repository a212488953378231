"""Reads a database in whatever state its writers leave it, and leaves it as it is.

A reader may come when nobody writes, and then the files that SQLite shares between readers and
writers are missing; who may not write cannot make them, and who may would leave them behind. So
what is at rest is read as if it could never change, and what was read is thrown away when the
files show that it did change meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.connection import cannot_read, may_not_read
from orchestrate_tui.store.standing import Standing, State, settled
from orchestrate_tui.values import dataclass

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]
"""Reads something; it may be called again, when what it read did not hold."""

PATIENCE_S = 5.0
"""For how long a state is bad luck: a writer that is opening or closing the database."""

_SOON_S = 0.5
"""After which what looks like a writer between two steps is one that died there."""

_ENDURANCE_S = 30.0  # for how long what is read may change again and again
_PAUSE_S = 0.002
_PRIMARY = 0xFF  # the part of an error code that says what kind of error it is
_ALONE = "mode=ro&vfs=unix-none"  # takes no locks, and then indexes the -wal in memory
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""What SQLite reports when the files change while it opens them."""


class _Moved(Exception):
    """The files changed while they were read."""

    def __str__(self) -> str:
        return "it changes faster than it can be read"


@dataclass(slots=True, kw_only=True)
class _View:
    """One connection, and how the files stood when it was made.

    `is_guarded` when it would not notice what others write. `is_checked` once the database was
    found to be one of ours.
    """

    connection: sqlite3.Connection
    standing: Standing
    is_guarded: bool
    is_checked: bool = False

    def holds(self, path: Path) -> bool:
        """Whether what is read through it is the database as it is."""
        now = Standing.of(path)
        if self.is_guarded:
            return now == self.standing
        return now.identity == self.standing.identity


class Reader:
    """Reads one database from one thread; it cannot write.

    `check` raises StoreError for a database that is not to be read. With `hands_off` no file is
    opened for writing even where this user may write: then no Database may be opened on it by
    this process. Raises StoreError.
    """

    def __init__(
        self, path: Path, check: Callable[[sqlite3.Connection], None], *, hands_off: bool = False
    ) -> None:
        self._path = path
        self._check = check
        self.may_not_write = hands_off or not os.access(path, os.W_OK)
        self._view: _View | None = None
        self._views = 0
        self._version, self._seen = 0, (0, 0)
        self.read(lambda _: None)

    def close(self) -> None:
        """Give the connection up; the next read makes another."""
        if self._view is not None:
            self._view.connection.close()
            self._view = None

    def read(self, query: Query[T]) -> T:
        """What `query` finds in a database that did not change meanwhile. Raises StoreError."""
        began = time.monotonic()
        while True:
            waited_s = time.monotonic() - began
            try:
                return self._attempt(query, is_stuck=waited_s > _SOON_S)
            except _Moved as error:
                self.close()
                if waited_s > _ENDURANCE_S:
                    raise cannot_read(self._path, error) from error
            except (sqlite3.Error, UnicodeDecodeError, StoreError, OSError) as error:
                self.close()
                is_lost = waited_s > (PATIENCE_S if _is_for_us(self._path) else _SOON_S)
                if is_lost or not _passes(error):
                    raise self._failure(error) from error
                time.sleep(_PAUSE_S)

    def version(self) -> int:
        """A number that grows when others have committed, whatever state the files were in."""
        seen = self.read(lambda connection: (self._views, data_version(connection)))
        if seen != self._seen:
            self._seen = seen
            self._version += 1
        return self._version

    def _attempt(self, query: Query[T], *, is_stuck: bool) -> T:
        if self._view is not None and not self._view.holds(self._path):
            self.close()
        view = self._view = self._view or self._open(is_stuck=is_stuck)
        try:
            if not view.is_checked:
                self._check(view.connection)
                view.is_checked = True
            found = query(view.connection)
        except Exception as error:
            if view.is_guarded and not view.holds(self._path):
                raise _Moved from error
            raise
        if view.is_guarded and not view.holds(self._path):
            raise _Moved
        return found

    def _open(self, *, is_stuck: bool) -> _View:
        """A connection for the state that the files are in; `is_stuck` when others failed."""
        standing = Standing.of(self._path)
        self._views += 1
        if standing.state is State.AT_REST:
            return self._guarded(standing.state, "mode=ro&immutable=1")
        if is_stuck and self.may_not_write:
            return self._guarded(standing.state, _ALONE)
        how = "mode=ro&readonly_shm=1" if self.may_not_write else "mode=ro"
        return _View(connection=connect(self._path, how), standing=standing, is_guarded=False)

    def _guarded(self, state: State, how: str) -> _View:
        """A connection that does not notice what others write. Raises _Moved."""
        standing = settled(self._path)
        if standing.state is not state:
            raise _Moved
        return _View(connection=connect(self._path, how), standing=standing, is_guarded=True)

    def _failure(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError) and not _passes(error):
            return error
        if isinstance(error, PermissionError) or not _is_for_us(self._path):
            return may_not_read(self._path)
        return cannot_read(self._path, error)


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def connect(path: Path, how: str) -> sqlite3.Connection:
    """A connection that cannot write, opened with the parameters `how`. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=PATIENCE_S, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    try:
        if how == _ALONE:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA temp_store = MEMORY")  # a confined process makes no files
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _passes(error: Exception) -> bool:
    """Whether the error may be gone in a moment, as the files are being made or removed."""
    trouble = error.__cause__ if isinstance(error, StoreError) else error
    code = getattr(trouble, "sqlite_errorcode", 0) & _PRIMARY
    return isinstance(trouble, sqlite3.Error) and code in _PASSING


def _is_for_us(path: Path) -> bool:
    """Whether this user may read every file of the database that is there."""
    files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"))
    return all(os.access(file, os.R_OK) for file in files if os.path.exists(file))  # noqa: PTH110
