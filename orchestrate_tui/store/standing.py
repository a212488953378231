"""How a database stands on the disk: which of its files are there, and when they changed.

Beside a database in WAL mode lie `-wal`, what was committed and not yet moved into the database,
and `-shm`, an index of it that all who have it open share. Both vanish when the last writer closes.
"""

from __future__ import annotations

import os
import time
from enum import StrEnum
from pathlib import Path

from orchestrate_tui.values import dataclass

_TICK_NS = 50_000_000
"""Longer than the kernel's clock for files stands still: 10 ms where it ticks slowest."""

Stamp = tuple[int, int, int, int]
"""Device, inode, size, and when it was written: other content has another stamp."""


class State(StrEnum):
    """What a reader has to do."""

    LIVE = "live"
    """Both files are there: read with everybody else."""
    AT_REST = "at rest"
    """Nobody writes, and the database holds everything: read it alone while that lasts."""
    LEFT = "left"
    """There is a `-wal` without its index: index it in memory while nobody else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The files of a database at one moment; `wal` None means that there is none."""

    database: Stamp
    wal: Stamp | None
    has_index: bool

    @classmethod
    def of(cls, path: Path) -> Standing:
        """How the database stands now. Raises OSError when it cannot be told."""
        return cls(
            wal=_stamp(f"{path}-wal"),
            has_index=os.path.exists(f"{path}-shm"),  # noqa: PTH110  (a tenth of the time)
            database=_known_stamp(path),
        )

    @property
    def state(self) -> State:
        """What a reader has to do."""
        if self.wal is None or (not self.has_index and not self.wal[2]):
            return State.AT_REST
        return State.LIVE if self.has_index else State.LEFT

    @property
    def identity(self) -> tuple[int, int]:
        """Which file the database is; a copy put in its place is another one."""
        return self.database[:2]


def settled(path: Path) -> Standing:
    """How the database stands, once every later change is certain to give it another stamp.

    The kernel's clock for files advances in ticks, and two changes in one tick look the same.
    Raises OSError.
    """
    while True:
        standing = Standing.of(path)
        newest = max(standing.database[3], standing.wal[3] if standing.wal else 0)
        age = time.time_ns() - newest
        if not 0 <= age < _TICK_NS:
            return standing
        time.sleep((_TICK_NS - age) / 1e9)


def _known_stamp(path: Path | str) -> Stamp:
    found = os.stat(path)  # noqa: PTH116
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _stamp(path: str) -> Stamp | None:
    try:
        return _known_stamp(path)
    except FileNotFoundError:
        return None
