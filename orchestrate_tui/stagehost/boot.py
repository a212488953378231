"""The clock of the system's start: nobody sets it, and it goes on while the system sleeps."""

from __future__ import annotations

import time

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """What tells this start of the system from every other; "" where the system does not say."""
    try:
        with open(_BOOT_ID, encoding="ascii") as source:
            return source.read().strip()
    except OSError:
        return ""


def boot_clock() -> float:
    """Seconds since the system was booted, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
