"""The beginning of what a path names: a file, a pipe or a device that nobody waits for too long."""

from __future__ import annotations

import errno
import os
import selectors
import stat
from pathlib import Path
from time import monotonic

PATIENCE_S = 10.0
"""So long what is no file may take to come to its end."""


def beginning(path: Path, most_bytes: int) -> bytes:
    """All of it, or so many bytes of it if it has more. Raises OSError.

    That is a TimeoutError for what has neither ended nor brought as much within PATIENCE_S.
    """
    with open(path, "rb", buffering=0, opener=_open_at_once) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            with open(file.fileno(), "rb", closefd=False) as whole:
                return whole.read(most_bytes)
        return _received(file.fileno(), most_bytes)


def _open_at_once(path: str, flags: int) -> int:
    """Open `path` without waiting for somebody to write into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)


def _received(descriptor: int, most_bytes: int) -> bytes:
    received, until = b"", monotonic() + PATIENCE_S
    with selectors.PollSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(until - monotonic(), 0)):
            try:
                piece = os.read(descriptor, most_bytes - len(received))
            except BlockingIOError:
                continue
            received += piece
            if not piece or len(received) == most_bytes:
                return received
            if monotonic() > until:
                break
    raise TimeoutError(errno.ETIMEDOUT, f"it had not ended after {PATIENCE_S:g} seconds")
