"""What `chattr` sets on files and folders: read, and the hint that subfolders are unrelated set."""

from __future__ import annotations

import fcntl
import sys
from contextlib import suppress

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS
_FLAGS_SIZE = 8  # bytes of the `long` that both name
_TOP_OF_HIERARCHIES = 0x00020000  # FS_TOPDIR_FL, the `T` of chattr(1)


def inode_flags(file: int) -> int:
    """What is set on an open file or folder. Raises OSError."""
    return int.from_bytes(fcntl.ioctl(file, _GET_FLAGS, bytes(_FLAGS_SIZE)), sys.byteorder)


def lay_apart(folder: int) -> None:
    """Have the system look for room elsewhere for each folder that is made in this open one.

    An ext4 passes over what a removed file held for minutes, and where many were removed it takes
    longer to find room for a new file than to write it. Other file systems do not know this, nor
    need it; they, and a folder that is not ours, are left as they are.
    """
    with suppress(OSError):
        flags = inode_flags(folder)
        if not flags & _TOP_OF_HIERARCHIES:
            wanted = (flags | _TOP_OF_HIERARCHIES).to_bytes(_FLAGS_SIZE, sys.byteorder)
            fcntl.ioctl(folder, _SET_FLAGS, wanted)
