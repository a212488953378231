"""Locks on files: they need no clock, and the kernel frees them when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from orchestrate_tui.permissions import is_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_TRIES_PER_SECOND = 200
_MOST_REPLACED = 3


class FileLock:
    """An exclusive lock on a file of its own, shared by every process that opens it.

    Where somebody removes the file, or puts another in its place, it is the one that is there then
    that is locked: who comes later knows of no other. Not where what it is `of` is away too, or
    where that file cannot be opened.
    """

    def __init__(self, path: Path, of: Path | None = None) -> None:
        self._path = os.fspath(path)
        self._of = of
        self._descriptor = self._opened()

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it for the block."""
        self._take()
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def held_at_once(self) -> Iterator[None]:
        """Hold the lock for the block. Raises BlockingIOError when somebody else does."""
        self._take(fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def held_in_time(self, look: Callable[[], object], every_s: float = 1.0) -> Iterator[None]:
        """Hold the lock for the block; `look` is called so often while it is waited for.

        Raises what `look` raises, which ends the waiting.
        """
        looked_at = time.monotonic()
        while not self._is_taken():
            if time.monotonic() - looked_at >= every_s:
                look()
                looked_at = time.monotonic()
            time.sleep(1 / _TRIES_PER_SECOND)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _is_taken(self) -> bool:
        try:
            self._take(fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _take(self, how: int = 0) -> None:
        """Take the lock on the file that is there. Raises OSError, and holds nothing then."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | how)
        try:
            for _ in range(_MOST_REPLACED):
                if self._is_in_place() or not self._renew():
                    return
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | how)
        except BaseException:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            raise

    def _is_in_place(self) -> bool:
        held = os.fstat(self._descriptor)
        try:
            found = os.stat(self._path)  # noqa: PTH116  (before each commit)
        except FileNotFoundError:
            return False
        except OSError:  # nobody knows, and no other could be opened
            return True
        return (found.st_ino, found.st_dev) == (held.st_ino, held.st_dev)

    def _renew(self) -> bool:
        """Use the file that is there from now on; False where it is the one of before."""
        if self._of is not None and not os.path.exists(self._of):  # noqa: PTH110  (never raises)
            return False
        replaced = self._descriptor
        try:
            self._descriptor = self._opened()
        except OSError:  # such as a disk that has no room for it
            return False
        os.close(replaced)
        return True

    def close(self) -> None:
        """Give the lock up for good."""
        os.close(self._descriptor)


def hold_for_life(path: Path) -> int:
    """Take the lock on `path` until the process ends; no child inherits it.

    The file is its owner's alone even in a shared folder: whoever may read it could take the lock
    when its holder dies, who would then seem to live. Returns the descriptor that holds it. Raises
    BlockingIOError when somebody else does.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def show_for_life(path: Path) -> int:
    """As `hold_for_life`, for all who may read the folder to see, and for nothing else.

    They may open the file only when its lock is taken.
    """
    descriptor = hold_for_life(path)
    if is_shared(path.parent):
        os.fchmod(descriptor, 0o640)
    return descriptor


class SharedHold:
    """A lock on a file of its own that any number of tasks of one thread hold at once.

    Whoever gets it for themselves with `try_hold` knows that no task holds it. Nobody waits for it
    here: that would keep the whole thread waiting. The file is its owner's alone even in a shared
    folder: whoever may read it could keep the tasks from it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = self._opened()
        self._file = os.fstat(self._descriptor)
        self._holders = 0

    def _opened(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def is_in_place(self) -> bool:
        """Whether its file is the one that others find."""
        with suppress(OSError):
            return os.path.samestat(os.stat(self.path), self._file)  # noqa: PTH116  (often)
        return False

    def renew(self) -> None:
        """Use the file that others find from now on; it is made if it is missing.

        Raises OSError, such as BlockingIOError where the tasks hold the lock and somebody has that
        of the other file for themselves: all stays as it was then.
        """
        descriptor = self._opened()
        try:
            if self._holders:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor, self._file = descriptor, os.fstat(descriptor)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block, together with the others.

        Raises BlockingIOError when somebody has it for themselves.
        """
        if not self._holders:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock up for good."""
        os.close(self._descriptor)


def try_hold(path: Path) -> int | None:
    """The descriptor that holds the lock on `path` for this process alone; None when others do.

    Raises FileNotFoundError, and PermissionError for somebody else's file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(path: Path, sign: Path | None = None) -> bool:
    """Whether a living process holds the lock on `path`; a missing file is not held.

    A file that may not be read is held if that of its `sign` is, and without one counts as held:
    nobody may act as if its holder were gone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:
        return sign is None or not os.access(sign, os.F_OK) or is_held(sign)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
