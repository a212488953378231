"""Whether the schema of a database is the one that the migrations make."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from orchestrate_tui.store.migrator import migration_files, statements

_BOOKKEEPING = ("sqlite_", "_sqlite_migrations", "idx__sqlite_migrations", "migration_files")
_WITHOUT_ROWS = ("trigger ", "index ")


def changed_schema(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What is missing or other than the migrations made it, and triggers that they did not make.

    Each with its kind and name; () means nothing. The schema is to be this version's. Raises
    sqlite3.Error.
    """
    made, found = _made(), _schema(connection)
    changed = {what for what, sql in made.items() if found.get(what) != sql}
    added = {what for what in found.keys() - made.keys() if what.startswith("trigger ")}
    return tuple(sorted(changed | added))


def mend_schema(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Make triggers and indexes those of the migrations again; returns what was changed.

    Tables are left as they are. Raises sqlite3.Error.
    """
    made = _made()
    mended = tuple(one for one in changed_schema(connection) if one.startswith(_WITHOUT_ROWS))
    for what in mended:
        kind, name = what.split(" ", 1)
        connection.execute(f"DROP {kind} IF EXISTS {_quoted(name)}")
        if what in made:
            connection.execute(made[what])
    return mended


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _made() -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for _, text in migration_files():
            for statement in statements(text):
                connection.execute(statement)
        return _schema(connection)


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT type || ' ' || name, name, sql FROM sqlite_master")
    return {what: sql for what, name, sql in rows if not name.startswith(_BOOKKEEPING)}
