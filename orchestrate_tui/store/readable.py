"""Whether a file is a database that can be read as it is."""

from __future__ import annotations

from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

from orchestrate_tui.errors import NotFound, StoreError
from orchestrate_tui.store.connection import cannot_open, may_not_read
from orchestrate_tui.store.head import read_head
from orchestrate_tui.store.loss import check_none_named, check_not_lost
from orchestrate_tui.store.migrator import is_current, last_migration
from orchestrate_tui.store.verification import has_chain

if TYPE_CHECKING:
    import sqlite3

    from orchestrate_tui.store.database import StoreFiles

_RUN_FIRST = "Run a pipeline first, or name another one with --db"


def check_present(files: StoreFiles) -> None:
    """Raise NotFound where no database is, or an empty one, StoreError where none can be read.

    StoreError, too, where there was one.
    """
    check_not_lost(files)
    path = files.database
    try:
        found = path.stat()
    except FileNotFoundError:
        raise NotFound(f"There is no database {path}", next_step=_RUN_FIRST) from None
    except PermissionError as error:
        raise may_not_read(path) from error
    if S_ISDIR(found.st_mode):
        raise cannot_open(path, "it is a folder")
    if not S_ISREG(found.st_mode):  # a pipe would keep whoever opens it waiting
        raise cannot_open(path, "it is not a file")
    if not found.st_size:
        raise NotFound(f"The database {path} is empty", next_step=_RUN_FIRST)


def check_current(connection: sqlite3.Connection, files: StoreFiles) -> None:
    """Raise StoreError for a database that an earlier version made, NotFound for an unmade one."""
    path = files.database
    head = read_head(files.head)  # before the database: another process may be making it
    if not is_current(connection, path):
        if not has_chain(connection):
            check_none_named(files, head)
        if not last_migration(connection):  # whoever made it died before it was made
            raise NotFound(f"The database {path} is empty", next_step=_RUN_FIRST)
        raise StoreError(
            f"The database {path} was made by an earlier version and cannot be read yet",
            next_step="The next run brings it up to date",
        )
