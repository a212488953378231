"""What keeps a snapshot from being taken, or from being put back; each a sentence by name."""

from __future__ import annotations

import os


class SnapshotError(Exception):
    """The sentence says what is in the way, and where; nothing was changed."""


class Unfit(SnapshotError):
    """Something that lies in the paths of a snapshot cannot be kept or put back."""


class Changing(SnapshotError):
    """A file or folder changed while it was read."""

    def __init__(self, path: bytes) -> None:
        super().__init__(f"'{spoken(path)}' changed while it was read")


class Damaged(SnapshotError):
    """What was kept is not what it was: it is missing or its hash is another."""


class InUse(SnapshotError):
    """A process has a database open that is to be put back."""


def damaged_at(path: bytes) -> Damaged:
    """The error for what was kept of a path, and cannot be had any more."""
    return Damaged(
        f"the snapshot is damaged: what was kept of '{spoken(path)}' is gone, or is not what it was"
    )


def spoken(path: bytes) -> str:
    """A path for a sentence; what is no UTF-8 in it is written as hexadecimal."""
    return path.decode("utf-8", "backslashreplace") or "."


def unreadable(path: bytes, error: OSError) -> Unfit:
    """The error for what the system does not let us read or write."""
    return Unfit(f"'{spoken(path)}': {os.strerror(error.errno) if error.errno else error}")
