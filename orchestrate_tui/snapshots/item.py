"""Something that a snapshot meets on its way through a place, and how to open it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrate_tui.snapshots.contents import CAPABILITY, Attributes, attributes_of
from orchestrate_tui.snapshots.errors import Unfit, spoken
from orchestrate_tui.values import dataclass

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class Item:
    """Something in an open folder: its name, where it lies, its path in the place, its status.

    As a text it is what people are told of: its path from the working folder.
    """

    folder: int
    name: bytes
    spelt: bytes
    path: bytes
    found: os.stat_result
    workdir: bytes

    def __str__(self) -> str:
        return spoken(self.relative)

    @property
    def relative(self) -> bytes:
        """Its path from the working folder."""
        return os.path.relpath(self.spelt, self.workdir)

    def below(self, folder: int, name: bytes, found: os.stat_result) -> Item:
        """Something in this folder, which is open."""
        spelt, path = os.path.join(self.spelt, name), os.path.join(self.path, name)
        return Item(folder, name, spelt, path, found, self.workdir)

    def attributes(self, file: int) -> Attributes:
        """Its extended attributes, when it is open. Raises Unfit for what cannot be given back."""
        found = attributes_of(file)
        if os.geteuid() and any(name == CAPABILITY for name, _ in found):
            what = f"'{self}' has the attribute '{spoken(CAPABILITY)}'"
            raise Unfit(f"{what}, which only root could give back")
        return found


@contextmanager
def opened(name: bytes, flags: int, folder: int | None = None) -> Iterator[int]:
    """A descriptor of something in an open folder, or at a path. Raises OSError."""
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
