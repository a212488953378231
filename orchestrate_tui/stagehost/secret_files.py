"""The files in which secrets lie: read without waiting, and again once they have changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable

LARGEST_BYTES = 64 * 1024
"""Of a file that holds a secret."""

FEWEST_CHARACTERS = 4
"""Of a value, besides backslashes: those come and go where a text is quoted."""

_SETTLED_NS = 100_000_000
"""After that a further change is seen at the times of a file: the kernel's clock goes in steps."""

_Look = tuple[int, ...]


class SecretFiles:
    """Files that may change at any time."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._looks: dict[str, _Look] = dict.fromkeys(paths, ())

    def changed(self) -> dict[str, bytes]:
        """The values in those that may have changed since the last call; in all at the first one.

        What cannot be read is left out, and what is too large, no regular file or not to be masked:
        it may be about to be written.
        """
        found = {}
        for path, before in self._looks.items():
            try:
                now = os.stat(path)
                if _look(now) != before:
                    self._looks[path] = _look(now) if _is_settled(now) else ()
                    found[path] = value_in(read_file(path))
            except (OSError, ValueError):
                continue
        return {path: value for path, value in found.items() if can_be_masked(value)}


def _look(now: os.stat_result) -> _Look:
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _is_settled(now: os.stat_result) -> bool:
    return time.time_ns() - now.st_ctime_ns > _SETTLED_NS


def read_file(path: str | os.PathLike[str]) -> bytes:
    """What stands in a regular file. Raises OSError; ValueError, which says what is wrong with it.

    It waits for nobody to write into a pipe.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("is not a regular file")
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"is larger than {LARGEST_BYTES} bytes")
    return content


def value_in(content: bytes) -> bytes:
    """What stands there, without the line breaks around it."""
    return content.strip(b"\r\n")


def can_be_masked(value: bytes) -> bool:
    """Whether it is long enough; masking a shorter one would garble every text."""
    text = value.strip().decode(errors="surrogateescape")
    return len(text.replace("\\", "")) >= FEWEST_CHARACTERS


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
