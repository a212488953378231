"""What keeps an executor from working, told to everybody at its database without writing anything.

Who has no room on the disk cannot write that down. So it locks a byte of the file of consoles, and
which byte it is says what is wrong. The kernel frees it when its holder dies, only who may write
that file can take it, and asking for it takes no lock; see fcntl_locking(2).
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING

from orchestrate_tui.permissions import open_file

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.database import StoreFiles

_FLOCK = struct.Struct("hhqqi0q")
"""struct flock: kind, from where, first byte, length, process."""


class Trouble(IntEnum):
    """What is wrong, by the byte that says so."""

    FULL = 0
    """The database finds no room."""
    FAILING = 1
    """The database cannot be written for another reason."""
    NO_ROOM_FOR_LOGS = 2
    """There is room for the database, but none for what stages write."""

    def sentence(self, files: StoreFiles) -> str:
        """What is wrong, for people."""
        match self:
            case Trouble.FULL:
                return f"The disk is full: {files.database} cannot be written"
            case Trouble.FAILING:
                it = files.database
                return f"The disk fails, or its quota is used up: {it} cannot be written"
            case Trouble.NO_ROOM_FOR_LOGS:
                return f"The disk is full: there is no room for logs in {files.runs}"


class TroubleMark:
    """Says what is wrong for one process; of several that are in the same trouble one says it.

    Who finds that another says it already says it again from time to time. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = open_file(path, os.O_RDWR)
        self._is_open = True

    def set(self, trouble: Trouble) -> None:
        """Say that there is this trouble."""
        self._lock(fcntl.F_WRLCK, trouble)

    def clear(self, trouble: Trouble) -> None:
        """Say that this trouble is over."""
        self._lock(fcntl.F_UNLCK, trouble)

    def close(self) -> None:
        """Say nothing any more; a second call does nothing."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)

    def _lock(self, kind: int, trouble: Trouble) -> None:
        with suppress(OSError):  # somebody else says it, or this file system has no such locks
            wanted = _FLOCK.pack(kind, os.SEEK_SET, trouble, 1, 0)
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, wanted)


def trouble_at(files: StoreFiles) -> str:
    """What keeps an executor of this database from working, in a sentence.

    "" when nothing does, or when it may not be known.
    """
    try:
        descriptor = os.open(files.consoles, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        asked = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, len(Trouble), 0)
        kind, _, first, _, _ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    except OSError:  # this file system has no such locks
        return ""
    finally:
        os.close(descriptor)
    return "" if kind == fcntl.F_UNLCK else Trouble(max(first, 0)).sentence(files)
