"""Who looks at a database, and who works on its runs, as the kernel's locks tell.

Every console holds a shared lock on one file beside the database as long as it lives, and every
executor the lock of its epoch. The kernel lists the holders, and knows whose processes they are and
on which terminal. So nobody has to write anything to be seen, nothing is left behind by those who
died, and no clock is asked. A console whose user may not read that file is not seen.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrate_tui.domain.presence import Person
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.processes import describe
from orchestrate_tui.store.trouble import trouble_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Self

    from orchestrate_tui.store.database import StoreFiles
    from orchestrate_tui.store.fencing import Owner

_LOCKS = "/proc/locks"
_WRITING = 120
"""The byte of a -shm that SQLite locks to write; see UNIX_SHM_BASE and WAL_WRITE_LOCK there."""


class Attendance:
    """This process among those at a database; it is one more console until `close`."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files
        self._descriptor: int | None = None
        self._ahead: Future[tuple[Person, ...]] | None = None
        with suppress(OSError):  # nobody made it yet, it is not for us, or somebody bars it
            self._descriptor = os.open(files.consoles, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def look_ahead(self) -> None:
        """Begin to find out who is there now, for the next `people`.

        The kernel has whoever asks for its locks wait for some 10 ms, in which others can work.
        """
        # for consoles only
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        thread = ThreadPoolExecutor(1, thread_name_prefix="attendance")
        self._ahead = thread.submit(present, self._files)
        thread.shutdown(wait=False)

    def people(self) -> tuple[Person, ...]:
        """Everybody who is there, this process too, in the order of their process numbers."""
        ahead, self._ahead = self._ahead, None
        return present(self._files) if ahead is None else ahead.result()

    def trouble(self) -> str:
        """What keeps an executor of this database from working, in a sentence; see trouble_at."""
        return trouble_at(self._files)

    def close(self) -> None:
        """Be a console no longer; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def present(files: StoreFiles) -> tuple[Person, ...]:
    """Everybody at a database: its consoles, and the executors that live."""
    epochs = dict(_epochs(files))
    consoles = _identity(files.consoles)
    looking: set[int] = set()
    working: dict[int, set[int]] = defaultdict(set)
    for pid, identity in _holders():
        if identity == consoles:
            looking.add(pid)
        elif identity in epochs:
            working[pid].add(epochs[identity])
    return tuple(
        describe(pid, is_console=pid in looking, epochs=frozenset(working[pid]))
        for pid in sorted(looking | working.keys())
    )


def holder_of(path: Path) -> int | None:
    """The process that holds the lock on a file; None when none does, or it cannot be seen."""
    identity = _identity(path)
    return next((pid for pid, held in _holders() if held == identity), None)


def named(files: StoreFiles, owner: Owner | None) -> str:
    """An executor for people, with the number that its process has here.

    It knows only the one that it has in its own namespace; see pid_namespaces(7).
    """
    if owner is None:
        return "another executor"
    pid = holder_of(files.owner_lock(owner.epoch))
    if pid is not None:
        return f"{owner.actor} (process {pid})"
    is_hidden = is_alive(files, owner.epoch)
    return f"{owner.actor} (a process that cannot be seen from here)" if is_hidden else str(owner)


def writers_at(files: StoreFiles) -> Iterator[int]:
    """The processes that keep all others from writing: first who writes, then whose turn it is.

    A program that knows nothing of turns may write in somebody else's.
    """
    index = _identity(files.wal_index)
    for fields in _locks("POSIX"):
        last = math.inf if fields[7] == "EOF" else int(fields[7])
        if fields[5] == index and int(fields[6]) <= _WRITING <= last:
            yield int(fields[4])
    turn = _identity(files.write_lock)
    yield from (pid for pid, held in _holders() if held == turn)


def _epochs(files: StoreFiles) -> Iterator[tuple[str, int]]:
    """The executors that may live, by the identities of the files with their locks."""
    with suppress(OSError), os.scandir(files.owners) as entries:
        for entry in entries:
            epoch, _, kind = entry.name.partition(".")
            if kind == "lock" and epoch.isdecimal():
                identity = _identity(files.owners / entry.name)
                if identity:
                    yield identity, int(epoch)


def _identity(path: Path) -> str:
    """The file as the kernel's list of locks names it; "" when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return ""
    device = found.st_dev
    return f"{os.major(device):02x}:{os.minor(device):02x}:{found.st_ino}"


def _holders() -> Iterator[tuple[int, str]]:
    """The process and the file of every lock of our kind."""
    return ((int(fields[4]), fields[5]) for fields in _locks("FLOCK"))


def _locks(kind: str) -> Iterator[list[str]]:
    """What the kernel tells of every lock of a kind that is held; see proc_locks(5)."""
    with suppress(OSError), open(_LOCKS, encoding="ascii") as locks:  # noqa: PTH123
        for line in locks:
            fields = line.split()
            if fields[1] == kind and int(fields[4]) > 0:
                yield fields
