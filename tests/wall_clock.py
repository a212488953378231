"""A clock of days that can be set, for this process alone; no other clock notices.

The kernel keeps one such clock for all processes, so what asks for it is replaced: `moments`,
which the product asks, and the functions of `time`. The jumps of a clock lie in a file, so that
processes that come later go on by it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from orchestrate_tui.domain import moments

_SHIFT = struct.Struct("d")
Replace = Callable[[object, str, object], None]
"""Like setattr."""


class WallClock:
    """What this process takes for the time of day; `path` keeps how far it was set, in seconds."""

    def __init__(self, path: Path, replace: Replace = setattr) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(file, _SHIFT.size)
        self._kept = mmap.mmap(file, _SHIFT.size)
        os.close(file)
        self._time_ns = time.time_ns
        replace(moments, "datetime", self)
        replace(time, "time", lambda: self._time_ns() / 1e9 + self.shift_s)
        replace(time, "time_ns", lambda: self._time_ns() + int(self.shift_s * 1e9))

    fromisoformat = staticmethod(datetime.fromisoformat)

    @property
    def shift_s(self) -> float:
        """How far it goes before the clock of everybody else."""
        shift: tuple[float] = _SHIFT.unpack(self._kept[:])
        return shift[0]

    def now(self, zone: tzinfo) -> datetime:
        """The present moment, as this clock has it."""
        return datetime.now(zone) + timedelta(seconds=self.shift_s)

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or back."""
        self._kept[:] = _SHIFT.pack(self.shift_s + seconds)
