"""Moments by the clock of the system's start: nobody sets it, and it goes on while it sleeps."""

from __future__ import annotations

from math import isfinite

from orchestrate_tui.stagehost.boot import boot_clock, boot_id


def boot_moment() -> str:
    """The present moment: which start of the system this is, and the seconds since."""
    return f"{boot_id()} {boot_clock():.3f}"


def seconds_since(moment: str) -> float | None:
    """Seconds since a `boot_moment`; None for one of another start of the system, or for none."""
    boot, _, seconds = moment.partition(" ")
    if not boot or boot != boot_id():
        return None
    try:
        since_s = boot_clock() - float(seconds)
    except ValueError:
        return None
    return since_s if isfinite(since_s) else None
