"""Who looks at a database, and who works on its runs, as the kernel's locks tell.

Every console holds a shared lock on one file beside the database as long as it lives, and every
executor the lock of its epoch. The kernel lists the holders, and knows whose processes they are and
on which terminal. So nobody has to write anything to be seen, nothing is left behind by those who
died, and no clock is asked. A console whose user may not read that file is not seen.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from orchestrate_tui.domain.presence import Person
from orchestrate_tui.store.processes import describe
from orchestrate_tui.store.trouble import trouble_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from orchestrate_tui.store.database import StoreFiles

_LOCKS = "/proc/locks"


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
        ahead: Future[tuple[Person, ...]] = Future()

        def look() -> None:
            try:
                ahead.set_result(present(self._files))
            except BaseException as error:  # noqa: BLE001  (whoever asks is told)
                ahead.set_exception(error)

        self._ahead = ahead
        Thread(target=look, name="attendance").start()

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
    """The process and the file of every lock of our kind; see proc_locks(5)."""
    with suppress(OSError), open(_LOCKS, encoding="ascii") as locks:  # noqa: PTH123
        for line in locks:
            fields = line.split()
            if fields[1] == "FLOCK" and int(fields[4]) > 0:
                yield int(fields[4]), fields[5]
