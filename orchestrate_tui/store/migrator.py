"""Brings a database to the schema of this version: the .sql files of `migrations/`, in order.

All that are missing run in one transaction, each with the record that it ran and the hash of its
text: whoever dies meanwhile leaves the schema as it was, and an edited file, a newer database and
a foreign one are noticed before anything changes.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import seal
from orchestrate_tui.store.connection import cannot_open
from orchestrate_tui.store.digests import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlite_utils.db import Database

MIGRATION_SET = "orchestrate-tui"
_CHAINING = "012_event_chain"
"""The migration after which every event has a hash, those from before it too."""
APPLICATION_ID = 0x4F545549
"""What marks a file as a database of this program, from that migration on."""

_PRIMARY = 0xFF  # the part of an error code that says what kind of error it is
_AFTER_SEMICOLON = re.compile("(?<=;)")
_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def migration_files() -> tuple[tuple[str, str], ...]:
    """Name and text of every migration, in order; from the package, else from the repository.

    Raises StoreError when there are none.
    """
    places = (_PACKAGE / "migrations", _PACKAGE.parent / "migrations")
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise StoreError(
            "The migrations are missing from this installation",
            next_step="Install orchestrate-tui again",
        )
    return tuple((file.stem, file.read_text("utf-8")) for file in sorted(folder.glob("*.sql")))


def is_current(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the database has exactly this version's schema.

    Raises StoreError for a database that is newer, foreign, or was made from edited files.
    """
    applied = _applied(connection, path)
    expected = _expected()
    unknown = sorted(applied.keys() - expected.keys())
    if unknown:
        raise StoreError(
            f"The database {path} is newer than this program (it has migration {unknown[-1]})",
            next_step="Use the version of orchestrate-tui that wrote it, or a later one",
        )
    edited = sorted(name for name, found in applied.items() if found != expected[name])
    if edited:
        raise StoreError(
            f"Migration {edited[0]} was edited after {path} was made with it",
            next_step="Install the released orchestrate-tui again",
        )
    return len(applied) == len(expected)


@cache
def _expected() -> dict[str, str]:
    return {name: _hash(text) for name, text in migration_files()}


def last_migration(connection: sqlite3.Connection) -> str:
    """The number of the last migration that was applied, such as 011; "" without any.

    Raises sqlite3.Error.
    """
    if not connection.execute(
        "SELECT 1 FROM sqlite_master WHERE name = 'migration_files'"
    ).fetchone():
        return ""
    (name,) = connection.execute("SELECT max(name) FROM migration_files").fetchone()
    return (name or "").partition("_")[0]


def migrate(connection: sqlite3.Connection, path: Path) -> bool:
    """Apply what is missing, and say whether anything was; the caller holds the file lock.

    Raises StoreError for a database that cannot be used, which is left as it was.
    """
    is_usable = is_current(connection, path)
    _use_wal(connection, path)
    if is_usable:
        return False
    import sqlite_utils  # noqa: PLC0415  (slow to import, and seldom needed)
    from sqlite_utils.migrations import Migrations  # noqa: PLC0415

    migrations = Migrations(MIGRATION_SET)
    for name, text in migration_files():
        migrations(name=name)(_migration(name, text))
    database = sqlite_utils.Database(connection)
    try:
        with database.atomic():
            migrations.apply(database)
    except sqlite3.Error as error:
        raise StoreError(
            f"The schema of {path} could not be brought up to date: {error}",
            next_step="Nothing was changed; check free space and permissions and try again",
        ) from error
    return True


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Let readers read while somebody writes; the file remembers it."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise cannot_open(path, error) from error


def _migration(name: str, text: str) -> Callable[[Database], None]:
    def apply(database: Database) -> None:
        connection = database.conn
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration_files"
            " (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL) STRICT"
        )
        for statement in statements(text):
            connection.execute(statement)
        if name == _CHAINING:
            seal(connection)
        connection.execute("INSERT INTO migration_files VALUES (?, ?)", (name, _hash(text)))

    return apply


def statements(script: str) -> Iterator[str]:
    """The statements of a script; a `;` inside a trigger, a string or a comment ends none."""
    statement = ""
    for part in _AFTER_SEMICOLON.split(script):
        statement += part
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def _applied(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    try:
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if "migration_files" in tables and mark in {0, APPLICATION_ID}:
            return dict(map(tuple, connection.execute("SELECT name, sha256 FROM migration_files")))
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # what it says may be no text
        raise _unreadable(path, error) from error
    if mark not in {0, APPLICATION_ID} or not all(map(_is_bookkeeping, tables)):
        raise StoreError(
            f"{path} is a database of another program",
            next_step="Name another one with --db; this one was left untouched",
        )
    return {}


def _unreadable(path: Path, error: sqlite3.DatabaseError | UnicodeDecodeError) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # none for what is no text
    if code == sqlite3.SQLITE_NOTADB:
        return StoreError(
            f"{path} is not a database of orchestrate-tui",
            next_step="Name another one with --db; this one was left untouched",
        )
    if code & _PRIMARY == sqlite3.SQLITE_CORRUPT:
        return StoreError(
            f"The database {path} is damaged: {error}",
            next_step="It was left untouched; keep a copy of it, and restore a backup",
        )
    return cannot_open(path, error)


def _is_bookkeeping(name: str) -> bool:
    """Whether a table without the others is what the making of a database may leave behind."""
    return name.startswith(("_sqlite_migrations", "idx__sqlite_migrations", "sqlite_"))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
