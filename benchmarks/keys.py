"""Keys typed at a console, and when what they asked for was painted."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from math import ceil

from benchmarks.terminal import Session

_BETWEEN = rb"(?:\x1b\[[0-9;]*m| )*"
CHOSEN_STAGE = re.compile(
    rb"(s\d{3})" + _BETWEEN + "(?:◐|↻)".encode() + _BETWEEN + rb"(?:running|retrying)"
)
"""The line about the chosen stage, which begins with its name."""

CHOSEN_RUN = re.compile(rb"Orchestrate" + _BETWEEN + rb"#(\d+)")
"""The line at the top, which begins with the chosen run."""

PAGE_DOWN = "\x1b[6~"

Step = tuple[str, str]
"""A key, and what the screen shows when it took effect; each step shows something else."""


def latencies_ms(
    running: Session, steps: Sequence[Step], shows: re.Pattern[bytes], *, every_s: float
) -> list[float]:
    """How long each key took until the screen showed what it led to, or what a later one did.

    A key comes about every so many seconds, at moments that follow no rhythm of the console.
    """
    pause = random.Random(7)
    typed = []
    for key, _ in steps:
        typed.append(running.type(key))
        time.sleep(every_s * pause.uniform(0.75, 1.25))
    deadline = time.monotonic() + 10
    while (painted := _painted(running, steps, typed[0], shows))[-1] is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"the last of {len(steps)} keys led to nothing")
        time.sleep(0.2)
    return [(_first(painted[number:]) - moment) * 1000 for number, moment in enumerate(typed)]


def shown_after(running: Session, key: str, shows: re.Pattern[bytes]) -> str:
    """What the screen shows after a key that changes it."""
    before = shows.findall(running.output)[-1]
    running.type(key)
    deadline = time.monotonic() + 10
    while (found := shows.findall(running.output)[-1]) == before:
        if time.monotonic() > deadline:
            raise SystemExit(f"{key!r} led to nothing")
        time.sleep(0.1)
    return str(found.decode())


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that is not less than such a share of all."""
    return sorted(samples)[ceil(len(samples) * share) - 1]


def _painted(
    running: Session, steps: Sequence[Step], since: float, shows: re.Pattern[bytes]
) -> list[float | None]:
    """When what each step leads to was first painted; None when it never was."""
    first: dict[bytes, float] = {}
    for found in shows.finditer(running.output, running.offset(since)):
        first.setdefault(found[1], running.moment(found.end() - 1))
    return [first.get(shown.encode()) for _, shown in steps]


def _first(moments: Sequence[float | None]) -> float:
    return min(moment for moment in moments if moment is not None)
