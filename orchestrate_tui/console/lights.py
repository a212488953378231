"""Whether the stages of a run could be undone, found out beside the event loop.

It takes many queries, and a look at the snapshots; the console goes on drawing meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from orchestrate_tui.domain.readiness import Light, at_stake
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate_tui.store.history import History

REST = 10
"""A look is followed by a pause of so many times its length."""

LightsByName = Mapping[str, Light]
"""The lights of the stages about which it matters; none of a stage that has no effects."""


class Lights:
    """Looks in one thread, with a connection of its own, and only when something was committed."""

    def __init__(
        self, history: History, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._history = history
        self._now = monotonic
        self._not_before = 0.0
        self._seen: tuple[int, int] | None = None
        self._own: History | None = None
        self._asked: Future[LightsByName] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lights")

    def is_due(self, run_id: int) -> bool:
        """Whether there may be something new to be seen of a run; asks little."""
        if self._seen is None or self._seen[0] != run_id:
            return True
        return self._now() >= self._not_before and self._seen[1] != self._history.data_version()

    def look(self, run_id: int) -> Future[LightsByName]:
        """Find the lights of a run out; what cannot be read has none."""
        self._seen = (run_id, self._history.data_version())
        if self._asked is not None:
            self._asked.cancel()  # nobody wants to know it any more, unless it is under way
        self._asked = self._thread.submit(self._look, run_id)
        return self._asked

    def close(self) -> None:
        """Look no more; nobody waits for what is under way."""
        self._thread.submit(self._let_go)
        self._thread.shutdown(wait=False)

    # In the thread

    def _look(self, run_id: int) -> LightsByName:
        began = self._now()
        try:
            return self._found(run_id)
        except OrchestrateError:  # the console reads too, and says what is wrong
            return {}
        finally:
            ended = self._now()
            self._not_before = ended + REST * (ended - began)

    def _found(self, run_id: int) -> LightsByName:
        from orchestrate_tui.executor.readiness import run_readiness  # noqa: PLC0415  (beside)

        if self._own is None:
            self._own = self._history.again()
        names = at_stake(self._own.definition(run_id))
        found = run_readiness(self._own, run_id, only=names) if names else ()
        return {one.stage_name: one.light for one in found if one.light is not Light.IDLE}

    def _let_go(self) -> None:
        if self._own is not None:
            self._own.close()
