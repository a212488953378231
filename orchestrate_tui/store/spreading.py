"""A hint to the file system: the folders in this one have nothing to do with each other."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.inode_flags import lay_apart


def spread_subfolders(folder: Path) -> None:
    """Have each new folder in `folder` placed in a part of the disk of its own.

    A run makes a file for each attempt, so its folder had better not lie where many files were
    removed a moment ago.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            lay_apart(descriptor)
        finally:
            os.close(descriptor)
