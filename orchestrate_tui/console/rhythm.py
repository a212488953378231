"""How often a screen looks for what changed: less often while nothing does."""

from __future__ import annotations

from typing import Protocol

LOOKS_PER_SECOND = 15
LOOKS_PER_ROUND = 2
"""Of so many looks one asks also for what nobody tells; at rest only that one is left."""

ROUNDS_PER_CHECK = 4
"""Of so many rounds one asks also for what hardly ever changes."""

_RESTS_AFTER = LOOKS_PER_SECOND
"""So many looks in a row that found nothing: for a second."""


class Timer(Protocol):
    """What goes off again and again, for as long as it is not paused."""

    def pause(self) -> object: ...  # noqa: D102
    def resume(self) -> object: ...  # noqa: D102


class Rhythm:
    """Has one of two timers run: `quick` while something happens, `slow` at rest."""

    def __init__(self, quick: Timer, slow: Timer) -> None:
        self._quick = quick
        self._slow = slow
        self._looks = self._rounds = self._in_vain = 0
        slow.pause()

    @property
    def rests(self) -> bool:
        """Whether nothing was found for a second."""
        return self._in_vain >= _RESTS_AFTER

    def next_is_round(self) -> bool:
        """Count a look; whether it asks also for what nobody tells."""
        self._looks += 1
        is_round = self.rests or self._looks % LOOKS_PER_ROUND == 0
        self._rounds += is_round
        return is_round

    @property
    def is_check(self) -> bool:
        """Whether this round asks also for what hardly ever changes."""
        return self._rounds % ROUNDS_PER_CHECK == 0

    def found(self, *, something: bool) -> None:
        """Take note of what came of a look."""
        rested = self.rests
        self._in_vain = 0 if something else self._in_vain + 1
        if self.rests != rested:
            going, coming = (self._quick, self._slow) if self.rests else (self._slow, self._quick)
            going.pause()
            coming.resume()
