"""Calls of the system that Python does not have: exchanging two names, syncing a file system."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache

_AT_FDCWD = -100
_EXCHANGE = 2
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def exchange(one: bytes, other: bytes) -> bool:
    """Let two names change places at once; False where the system cannot. Raises OSError."""
    rename = getattr(_library(), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, one, _AT_FDCWD, other, _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), os.fsdecode(other))


def sync_file_system(path: bytes) -> None:
    """Have everything that was written to the file system of `path` on its disk. Raises OSError.

    For ten thousand small files this takes a fraction of what one sync for each takes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync = getattr(_library(), "syncfs", None)
        if sync is None:
            os.sync()
        elif sync(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), os.fsdecode(path))
    finally:
        os.close(descriptor)
