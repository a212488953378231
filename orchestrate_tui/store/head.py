"""The file beside a database that says where its events end, so that lost ones are missed.

It is written after each commit and not synced: after a crash it may be behind the database, but
what it names was committed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.permissions import open_file
from orchestrate_tui.store.chain import START, Head

UNREADABLE = Head(-1, b"")
"""What a file names that makes no sense, or cannot be read."""


class HeadFile:
    """The file, open for writing; it is made if it is missing."""

    def __init__(self, path: Path) -> None:
        self._descriptor = open_file(path, os.O_RDWR)

    def write(self, head: Head) -> None:
        """Name another end. What cannot be written leaves the file behind, which is no harm."""
        with suppress(OSError):
            os.pwrite(self._descriptor, encoded(head), 0)

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)


def read_head(path: Path) -> Head | None:
    """The end that the file names, or UNREADABLE; None when it is missing, or empty after a crash.

    It is read once: another process may be making it.
    """
    try:
        content = path.read_bytes()
        if not content:
            return None
        number, digest = content.split()
        return Head(int(number), bytes.fromhex(digest.decode()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return UNREADABLE


def make_head(path: Path, head: Head = START) -> None:
    """Write the file so that it lasts even if the power fails, whatever is in it. Raises OSError.

    It stays the same file, because living processes may have it open.
    """
    descriptor = open_file(path, os.O_RDWR)
    try:
        os.pwrite(descriptor, encoded(head), 0)
        os.ftruncate(descriptor, len(encoded(head)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in the folder last even if the power fails. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encoded(head: Head) -> bytes:
    """Always of one length, so that one write replaces all of it."""
    return f"{head.event_id:019} {head.digest.hex()}\n".encode()
