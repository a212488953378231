"""What is done in several environments, told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def environments_among(places: Iterable[str | None]) -> tuple[str, ...]:
    """The environments that occur, in their order; None is no environment."""
    return tuple(dict.fromkeys(place for place in places if place))


def headings(places: Sequence[str | None]) -> tuple[str, ...]:
    """What to write above each of some steps, of which `places` are the environments.

    That is "" where the environment is that of the step before, and everywhere unless there are
    several: the order of the steps stays, so one that is come back to is named again.
    """
    if len(environments_among(places)) < 2:
        return ("",) * len(places)
    before = (False, *places[:-1])
    return tuple(
        "" if place == last else f"In {place or 'no environment'}:"
        for place, last in zip(places, before, strict=True)
    )
