"""Databases of other programs, copied while these go on writing them.

A process of its own copies each: the locks of SQLite belong to a process, and are gone as soon as
anything in it closes the file, such as another snapshot or a preview. It needs nothing but the
standard library.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

_PATIENCE_S = 30.0
_TRIES = 3
_JOURNAL = "-journal"


def copy_database(source: Path, target: Path) -> None:
    """Copy a database by SQLite's backup: what is committed, whoever writes meanwhile.

    Raises OSError.
    """
    words = [sys.executable, "-I", "-S", __file__, str(source.absolute()), str(target)]
    copying = subprocess.run(
        list(map(os.fsencode, words)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for who waits
        check=False,
    )
    if copying.returncode:
        said = os.fsdecode(copying.stderr).strip().rpartition("\n")[2]
        raise OSError(f"{source}: {said or f'copying it ended with {copying.returncode}'}")


def _copy(source: Path, target: Path) -> None:
    try:
        _back_up(f"{source.as_uri()}?mode=ro", target)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        _copy_left(source, target)


def _back_up(source: str, target: Path) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    with (
        closing(sqlite3.connect(source, uri=True, timeout=_PATIENCE_S)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        writing.execute("PRAGMA synchronous = OFF")  # what is kept of it is synced later
        reading.backup(writing)


def _copy_left(source: Path, target: Path) -> None:
    """Copy what somebody left who died while writing: SQLite takes that back in the copy."""
    left = target.with_name(f"{target.name}-left")
    try:
        for _ in range(_TRIES):
            before = _stamps(source)
            for end in (_JOURNAL, ""):
                shutil.copyfile(f"{source}{end}", f"{left}{end}")
            if _stamps(source) == before:
                _back_up(left.as_uri(), target)
                return
        raise OSError("it is being repaired: try again")
    finally:
        for end in (_JOURNAL, ""):
            Path(f"{left}{end}").unlink(missing_ok=True)


def _stamps(source: Path) -> list[tuple[int, ...]]:
    found = [Path(f"{source}{end}").stat() for end in (_JOURNAL, "")]
    return [(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found]


if __name__ == "__main__":
    try:
        _copy(Path(sys.argv[1]), Path(sys.argv[2]))
    except (sqlite3.Error, OSError) as problem:
        sys.exit(str(problem))
