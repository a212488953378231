"""Durations as people write them: `30m`, `1h30m`, `500 ms`, `90`."""

from __future__ import annotations

import re

from orchestrate_tui.errors import OrchestrateError

LONGEST_S = 366 * 86400.0
"""No duration is longer, so that a slip of the keyboard is noticed."""

PATTERN = (
    r"\s*(?:\d+(?:\.\d+)?|"
    r"(?:\d+(?:\.\d+)?\s*(?:d|days?)\s*)?(?:\d+(?:\.\d+)?\s*(?:h|hrs?|hours?)\s*)?"
    r"(?:\d+(?:\.\d+)?\s*(?:m|mins?|minutes?)\s*)?(?:\d+(?:\.\d+)?\s*(?:s|secs?|seconds?)\s*)?"
    r"(?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?)\s*)?)\s*"
)
"""What a duration looks like: a plain number, or numbers with units, the largest unit first."""

_PART = r"(\d+(?:\.\d+)?)\s*([a-z]*)"
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_LONGEST_TEXT = 100


class InvalidDuration(OrchestrateError, ValueError):
    """A text that is no duration."""


def parse_duration(text: str) -> float:
    """The seconds that `text` means; a plain number is seconds.

    Raises InvalidDuration for anything else, and for more than 366 days.
    """
    is_one = len(text) <= _LONGEST_TEXT and re.fullmatch(PATTERN, text, re.ASCII)
    parts = re.findall(_PART, text, re.ASCII) if is_one else []
    if not parts:
        raise InvalidDuration(
            f"'{text[:_LONGEST_TEXT]}' is not a duration",
            next_step="Write a number and a unit, such as 30s, 15m, 1h30m or 2d",
        )
    seconds = sum(float(number) * _unit_seconds(unit) for number, unit in parts)
    if seconds > LONGEST_S:
        raise InvalidDuration(f"'{text}' is too long", next_step="The longest duration is 366d")
    return seconds


def _unit_seconds(unit: str) -> float:
    return 0.001 if unit in {"ms", "millisecond", "milliseconds"} else _SECONDS[unit[:1]]
