"""When to draw: whoever draws shares an interpreter with the executor and would hold it up."""

from __future__ import annotations

import asyncio
import time

SHARE = 0.1
"""From so much of the time on that other threads compute, they are given way to."""

LONGEST_S = 0.19
"""For so long at most; what happens is to be seen within a quarter of a second."""

_GLANCE_S = 0.02


class Pace:
    """Says when it is time to draw again; for one thread."""

    def __init__(self) -> None:
        self._is_held = False
        self._start_anew()

    def is_due(self) -> bool:
        """Whether the others rest, or were given way to for long enough since the last time."""
        if self._is_held:
            return False
        now_s, others_s = time.monotonic(), _others_s()
        passed_s = now_s - self._since_s
        if passed_s < LONGEST_S and others_s - self._others_s > SHARE * passed_s:
            return False
        self._start_anew()
        return True

    async def give_way(self) -> None:
        """Wait until the other threads do too: what they do may be over before it could be drawn.

        Meanwhile it is not time for anybody else. Afterwards it is drawn, and that counts.
        """
        waiting, self._is_held = Pace(), True
        try:
            await asyncio.sleep(_GLANCE_S)
            while not waiting.is_due():  # noqa: ASYNC110  (no event tells how much they compute)
                await asyncio.sleep(_GLANCE_S)
        finally:
            self._is_held = False
            self._start_anew()

    def _start_anew(self) -> None:
        self._since_s, self._others_s = time.monotonic(), _others_s()


def _others_s() -> float:
    """The processor time of all threads but this one so far."""
    return time.process_time() - time.thread_time()
