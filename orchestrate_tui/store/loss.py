"""A database that has none of its events, though the file beside it names the last one.

Such a database was removed, emptied, or another was put in its place. To make one anew would hide
that, and what the file beside it says is the only trace.
"""

from __future__ import annotations

from stat import S_ISREG
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import START
from orchestrate_tui.store.head import read_head

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.chain import Head
    from orchestrate_tui.store.database import StoreFiles


def check_not_lost(files: StoreFiles) -> None:
    """Raise StoreError where a database is missing or empty that had events."""
    head = read_head(files.head)  # before the database: another process may be making it
    if is_absent(files.database):
        check_none_named(files, head)


def check_none_named(files: StoreFiles, head: Head | None) -> None:
    """Raise StoreError when `head`, read before a database without events, names one.

    Nor may there be a head that nobody can read: an empty one is what a crash leaves.
    """
    if head is None and not _has_content(files.head):
        return
    if head is None or head != START:
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


def _lost(files: StoreFiles, head: Head | None) -> StoreError:
    is_there = not is_absent(files.database)
    what = "has lost its events" if is_there else "is missing, or empty"
    named = "its last event" if head is None else f"event {head.event_id} as its last"
    return StoreError(
        f"The database {files.database} {what}, though {files.head.name} beside it names {named}",
        next_step=f"Restore a backup; or, if it is meant to begin anew, remove {files.head}",
    )
