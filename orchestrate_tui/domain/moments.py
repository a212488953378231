"""Moments: always aware, always UTC, and one way to write them down."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@lru_cache(maxsize=16)  # what is decided together happens at one moment
def to_text(moment: datetime) -> str:
    """The moment as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, which sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote. Raises ValueError for text that is none in a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' does not say its time zone")
    return moment.astimezone(UTC)


def spoken(moment: datetime) -> str:
    """The moment as a sentence names it to people in any place: `2026-01-31 12:00:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
