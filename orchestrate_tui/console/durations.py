"""Lengths of time and moments as an operator reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""What tells the present moment."""

MINUTE, HOUR, DAY = 60, 3600, 86400
NARROW = 4
"""Cells that `short_duration` takes at most."""


def duration(seconds: float) -> str:
    """`12s`, `1m 04s`, `2h 05m`, `3d 04h`; a negative length is 0."""
    whole = max(int(seconds), 0)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE:02}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d {whole % DAY // HOUR:02}h"


def set_duration(seconds: float) -> str:
    """The same of a length that somebody has set, without zeros at its end: `5m`, `1h 30m`."""
    told = duration(seconds)
    return told[: told.find(" 00")] if " 00" in told else told


def short_duration(seconds: float) -> str:
    """The same in four cells: `12s`, `1m04`, `59m`, `2h05`, `31h`, `12d`."""
    whole = max(int(seconds), 0)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return f"{whole // MINUTE}m{whole % MINUTE:02}"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    if whole < 10 * HOUR:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}"
    return f"{whole // HOUR}h" if whole < 100 * HOUR else f"{whole // DAY}d"


def elapsed_s(
    started_at: datetime | None, ended_at: datetime | None, now: datetime
) -> float | None:
    """Seconds from start to end, or to now while it lasts; None before it started."""
    if started_at is None:
        return None
    return ((ended_at or now) - started_at).total_seconds()


def clock(moment: datetime, now: datetime) -> str:
    """The local time of day, with the date in front when that is not today."""
    local, today = moment.astimezone(), now.astimezone().date()
    if local.date() == today:
        return f"{local:%H:%M:%S}"
    return f"{local:%d %b %H:%M}" if local.year == today.year else f"{local:%d %b %Y}"
