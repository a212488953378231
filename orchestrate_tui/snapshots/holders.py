"""Which processes have a file open: a database is put back only when none has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def holders_of(paths: Iterable[bytes]) -> tuple[tuple[int, bytes], ...]:
    """The other processes that have one of the files open, with its path; by /proc.

    Processes of other users are seen only by root.
    """
    wanted: dict[tuple[int, int], bytes] = {}
    for path in paths:
        with suppress(OSError):
            found = os.stat(path, follow_symlinks=False)
            wanted[found.st_dev, found.st_ino] = path
    if not wanted:
        return ()
    return tuple(
        (pid, wanted[identity])
        for pid in _others()
        for identity in sorted(_open_files(pid) & wanted.keys())
    )


def named(pid: int) -> str:
    """A process for a sentence."""
    with suppress(OSError):
        return f"{Path(f'/proc/{pid}/comm').read_text().strip()} (process {pid})"
    return f"process {pid}"


def _others() -> list[int]:
    try:
        numbers = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
    except OSError:
        return []
    return sorted(numbers - {os.getpid()})


def _open_files(pid: int) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):
        for name in os.listdir(folder):
            with suppress(OSError):
                one = os.stat(f"{folder}/{name}")
                found.add((one.st_dev, one.st_ino))
    return found
