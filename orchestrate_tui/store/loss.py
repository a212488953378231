"""A database that has none of its events, though the file beside it names the last one.

Such a database was removed, emptied, or another was put in its place. To make one anew would hide
that, and what the file beside it says is the only trace.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import START
from orchestrate_tui.store.head import UNREADABLE, read_head

_VERSIONS_AT, _WITHOUT_LOG = 18, b"\x01\x01"
"""Where a database says how it is written and read, and with what: see sqlite.org/fileformat2."""

if TYPE_CHECKING:
    from orchestrate_tui.store.chain import Head
    from orchestrate_tui.store.database import StoreFiles


def check_not_lost(files: StoreFiles) -> None:
    """Raise StoreError where a database is missing or empty that had events.

    Or where its log is that of another one, which SQLite would mix into it.
    """
    head = read_head(files.head)  # before the database: another process may be making it
    if is_absent(files.database):
        check_none_named(files, head)
    elif _has_content(files.wal) and _never_had_a_log(files.database):
        raise StoreError(
            f"{files.wal.name}, which lies beside the database {files.database}, is not its own",
            next_step=f"Remove {files.wal} and {files.wal_index}: the database that was there"
            " before has left them",
        )


def check_none_named(files: StoreFiles, head: Head | None) -> None:
    """Raise StoreError when `head`, read before a database without events, names one.

    Nor may it be UNREADABLE.
    """
    if head is not None and head != START:
        raise _lost(files, head)


def is_absent(path: Path) -> bool:
    """Whether nothing is there, or an empty file that the first run makes a database of.

    What lies where this user may not look counts as there.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return S_ISREG(found.st_mode) and not found.st_size


def _has_content(path: Path) -> bool:
    try:
        return bool(path.stat().st_size)
    except OSError:
        return False


def _never_had_a_log(database: Path) -> bool:
    """Whether SQLite has kept no log of the file since it was made, as of a backup.

    A file that this process has open has been looked at before; to close it here would drop the
    locks that SQLite holds on it.
    """
    if _is_open_here(database):
        return False
    try:
        with database.open("rb") as file:
            file.seek(_VERSIONS_AT)
            return file.read(len(_WITHOUT_LOG)) == _WITHOUT_LOG
    except OSError:
        return False


def _is_open_here(path: Path) -> bool:
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if descriptor.samefile(path):
                return True
    return False


def _lost(files: StoreFiles, head: Head) -> StoreError:
    is_there = not is_absent(files.database)
    what = "has lost its events" if is_there else "is missing, or empty"
    named = "its last event" if head == UNREADABLE else f"event {head.event_id} as its last"
    return StoreError(
        f"The database {files.database} {what}, though {files.head.name} beside it names {named}",
        next_step="Restore a backup and its .head file; or, if it is meant to begin anew, remove"
        f" {files.head}",
    )
