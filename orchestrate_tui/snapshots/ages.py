"""Whether a file's times would tell of a later change: those of a young file might not."""

from __future__ import annotations

import os
import time

_YOUNG_NS = 50_000_000
"""A change so soon after another one may leave the file's times as they are."""

_YOUNG_IN_SECONDS_NS = 2_000_000_000
"""The same where the file system counts times in seconds, or in two of them."""


def settled(file: int) -> os.stat_result:
    """The status of an open file, once a later change is certain to give it other times."""
    found = os.fstat(file)
    age_ns = time.time_ns() - _changed_ns(found)
    if 0 <= age_ns < _YOUNG_NS:
        time.sleep((_YOUNG_NS - age_ns) / 1e9)
        return os.fstat(file)
    return found


def is_old(found: os.stat_result) -> bool:
    """Whether a later change is certain to give a file other times, however coarse they are."""
    is_fine = found.st_ctime_ns % 1_000_000_000
    return _changed_ns(found) <= time.time_ns() - (_YOUNG_NS if is_fine else _YOUNG_IN_SECONDS_NS)


def times_of(found: os.stat_result) -> tuple[int, int, int]:
    """What a change of a file changes of its status."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _changed_ns(found: os.stat_result) -> int:
    return max(found.st_mtime_ns, found.st_ctime_ns)
