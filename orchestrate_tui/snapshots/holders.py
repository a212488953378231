"""Which processes have a database open: it is put back only when none has; and who writes a file.

Those of other users are seen only by root; but who has a database open in WAL mode, or is reading
or writing it, holds locks of SQLite, which the kernel shows to everybody.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_FLOCK = "hhqqi"
"""Kind, whence, start, length and pid: what `fcntl` knows of a lock."""

_LOCKS = 1 << 30
"""Where in a database the bytes begin that SQLite locks; see os_unix.c."""


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


def lockers_of(database: bytes) -> tuple[tuple[int, bytes], ...]:
    """The processes that hold locks on a database or its index, with the path of that.

    0 is one of which nobody can say which it is.
    """
    found = []
    for path, start, length in ((database, _LOCKS, 512), (database + b"-shm", 120, 9)):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
                told = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
            finally:
                os.close(descriptor)
            kind, _, _, _, pid = struct.unpack(_FLOCK, told)
            if kind != fcntl.F_UNLCK:
                found.append((max(pid, 0), path))
    return tuple(found)


def may_be_written(file: int) -> bool:
    """Whether somebody may have a file open for writing that is open here for reading.

    Who has mapped it then writes without its times telling. The system is asked for a lease, which
    it gives of a file that nobody writes; where it has none to give nobody knows.
    """
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)  # what it sends by default ends a process
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return True
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def named(pid: int) -> str:
    """A process for a sentence."""
    with suppress(OSError):
        return f"{Path(f'/proc/{pid}/comm').read_text().strip()} (process {pid})"
    return f"process {pid}" if pid else "a process"


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
