"""Databases of other programs, copied while these go on writing them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

_PATIENCE_S = 30.0


def copy_database(source: Path, target: Path) -> None:
    """Copy a database by SQLite's backup: what is committed, whoever writes meanwhile.

    Raises OSError.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    uri = f"{source.absolute().as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            writing.execute("PRAGMA synchronous = OFF")  # what is kept of it is synced later
            reading.backup(writing)
    except sqlite3.Error as error:
        raise OSError(f"{source}: {error}") from error
