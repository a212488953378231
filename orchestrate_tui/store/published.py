"""The file beside a published copy that names the database of which it is one.

Where it stands nobody works, because the next copy would replace what they did; and where it does
not stand, or names another database, nothing is published over what is there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.database import StoreFiles


def original_of(files: StoreFiles) -> str | None:
    """The database of which this one is a copy; "" where that was not written yet, None for none.

    Raises OSError.
    """
    try:
        return os.fsdecode(files.publication.read_bytes())
    except FileNotFoundError:
        return None


def refuse_copy(files: StoreFiles) -> None:
    """Raise StoreError for a published copy."""
    if (original := original_of(files)) is not None:
        raise StoreError(
            f"{files.database} is a copy, and the next one that is published takes its place",
            next_step=f"Look at it with --read-only, and work in {original or 'its original'}",
        )


def claim(copy: StoreFiles, descriptor: int, source: Path) -> None:
    """Name the original in the file that is open and locked, unless it is named already.

    A disk that is full for it is so for the copy, too: that says it better.
    """
    if not original_of(copy):
        with suppress(OSError):
            os.pwrite(descriptor, os.fsencode(source), 0)


def obstacle(copy: StoreFiles, source: Path) -> str:
    """Why no copy of that database may be put there, as part of a sentence; "" when one may.

    Raises OSError.
    """
    original = original_of(copy)
    if original is None:
        found = next(filter(os.path.lexists, _where_files_lie(copy)), None)
        return f"{found} is there, and no copy" if found else ""
    if original and original != str(source):
        return f"it holds a copy of {original}, as {copy.publication} says"
    return ""


def _where_files_lie(files: StoreFiles) -> tuple[Path, ...]:
    beside = (files.wal, files.wal_index, files.write_lock, files.head, files.runs, files.owners)
    return (files.database, *beside)
