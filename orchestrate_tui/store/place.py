"""Whether an open database is still the file that others find in its place.

What is written to a file that was removed, or that another one has replaced, is lost when it is
closed; SQLite itself looks for that only where it keeps no -wal.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Moved(sqlite3.OperationalError):
    """Nobody else would find what is written."""

    sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED

    def __str__(self) -> str:
        return "it was removed, or another one put in its place"


class Place:
    """The place of a database that was just opened. Raises OSError when there is none."""

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._file = self._found()

    def check(self) -> None:
        """Raise Moved unless the file is there."""
        try:
            if self._found() == self._file:
                return
        except OSError:
            pass
        raise Moved

    def _found(self) -> tuple[int, int]:
        found = os.stat(self._path)  # noqa: PTH116  (before each commit)
        return found.st_dev, found.st_ino
