"""What takes many queries, and a look at the snapshots, is found out beside the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from orchestrate_tui.store.history import History

R = TypeVar("R")

REST = 10
"""A look is followed by a pause of so many times its length."""


class Looking(Generic[R]):
    """Looks at a run in one thread, with a connection of its own, when something was committed."""

    def __init__(
        self,
        history: History,
        find: Callable[[History, int], R],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._find = find
        self._now = monotonic
        self._not_before = 0.0
        self._seen: tuple[int, int] | None = None
        self._own: History | None = None
        self._asked: Future[R] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="looking")

    def is_due(self, run_id: int) -> bool:
        """Whether there may be something new to be seen of a run; asks little."""
        if self._seen is None or self._asked is None or self._seen[0] != run_id:
            return True
        if not self._asked.done() or self._now() < self._not_before:
            return False
        return self._seen[1] != self._history.data_version()

    def look(self, run_id: int) -> Future[R]:
        """Find out what there is to be found of a run."""
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

    def _look(self, run_id: int) -> R:
        began = self._now()
        try:
            if self._own is None:
                self._own = self._history.again()
            return self._find(self._own, run_id)
        finally:
            ended = self._now()
            self._not_before = ended + REST * (ended - began)

    def _let_go(self) -> None:
        if self._own is not None:
            self._own.close()
