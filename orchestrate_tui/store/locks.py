"""Locks on files: they need no clock, and the kernel frees them when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrate_tui.permissions import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_TRIES_PER_SECOND = 200


class FileLock:
    """An exclusive lock on a file of its own, shared by every process that opens it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it for the block."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def held_in_time(self, look: Callable[[], None]) -> Iterator[None]:
        """Hold the lock for the block; `look` is called every second that it is waited for.

        Raises what `look` raises, which ends the waiting.
        """
        tries = 0
        while not self._is_taken():
            tries += 1
            if tries % _TRIES_PER_SECOND == 0:
                look()
            time.sleep(1 / _TRIES_PER_SECOND)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _is_taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Give the lock up for good."""
        os.close(self._descriptor)


def hold_for_life(path: Path) -> int:
    """Take the lock on `path` until the process ends; no child inherits it.

    Returns the descriptor that holds it. Raises BlockingIOError when somebody else does.
    """
    descriptor = open_file(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class SharedHold:
    """A lock on a file of its own that any number of tasks of one thread hold at once.

    Whoever gets it for themselves with `try_hold` knows that no task holds it. The file is its
    owner's alone even in a shared folder: whoever may read it could keep the tasks waiting.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._holders = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block, together with the others."""
        if not self._holders:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
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


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on `path`; a missing file is not held.

    A file that may not be read counts as held: nobody may act as if its holder were gone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
