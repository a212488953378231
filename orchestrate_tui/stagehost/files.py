"""The files of one stage host, and the log files that it opens for stages."""

from __future__ import annotations

import fcntl
import os

from orchestrate_tui.permissions import make_folder, open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

JOURNAL, LOCK, SOCKET, ERRORS = "journal", "lock", "socket", "errors"


def open_log(path: Path | str) -> int:
    """A descriptor that appends to `path`; the file, and its folder, are made if missing."""
    flags = os.O_WRONLY | os.O_APPEND
    try:
        return open_file(path, flags)
    except FileNotFoundError:
        make_folder(os.path.dirname(path))
        return open_file(path, flags)


def hold(folder: str) -> int:
    """Take the lock that says that the host of `folder` lives, until this process ends.

    Returns its descriptor. Raises BlockingIOError when another host has it.
    """
    lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def lives(folder: str) -> bool:
    """Whether the host of `folder` lives."""
    try:
        lock = os.open(os.path.join(folder, LOCK), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


class short_name:  # noqa: N801  (a context manager reads like a function)
    """The path of `name` in `folder`, short enough for a socket, for the time of a block.

    A socket's path takes no more than 107 bytes; the way over /proc is as short for any folder.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._folder, self._name = folder, name

    def __enter__(self) -> str:
        self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._descriptor}/{self._name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
