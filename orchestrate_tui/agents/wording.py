"""How the end of an attempt is told in one sentence."""

from __future__ import annotations

import signal

from orchestrate_tui.agents.contract import Services
from orchestrate_tui.domain.text import visible

NO_ROOM = ", while the disk had no room for its log"
"""What is said behind the reason of a failure that may be only this."""

MAY_LACK_OUTPUT = "its log may lack output: the disk had no room for it"
"""What is said of an attempt that went well while there was none."""

_MOST_NAMED = 20
_UNITS = ((3600, "h"), (60, "m"))


def timed_out(timeout_s: float | None) -> str:
    """Why an attempt ended that reached its limit."""
    return f"timed out after {duration(timeout_s or 0.0)}"


def ended_with(code: int) -> str:
    """Why an attempt failed whose process ended with `code`, negative for a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:  # a real-time signal has no name
        return f"killed by signal {-code}"


def cannot_start(program: str, error: OSError | ValueError) -> str:
    """Why a program did not start; names the folder or log if one of these was the obstacle."""
    if not isinstance(error, OSError):
        return f"cannot start '{program}': {error}"
    obstacle = "" if error.filename in (None, program) else f": '{error.filename}'"
    return f"cannot start '{program}': {error.strerror or error}{obstacle}"


def lost(error: OSError) -> str:
    """Why nobody knows how an attempt ended."""
    return f"how it ended is not known: {error}"


def kept(services: Services) -> str:
    """What goes on after the end of an attempt, because its agent `leaves_processes`."""
    named = [f"{pid} ({visible(name)})" for pid, name in services[:_MOST_NAMED]]
    more = len(services) - len(named)
    return f"left running: {', '.join(named)}" + (f" and {more} more" if more else "")


def duration(seconds: float) -> str:
    """`seconds` as it would stand in a pipeline file, such as 1h30m."""
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:g}{unit}")
    if seconds or not parts:
        parts.append(f"{seconds:g}s")
    return "".join(parts)
