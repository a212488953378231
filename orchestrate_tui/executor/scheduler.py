"""Which stage is free to go on: counts of dependencies, no scans; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush

from orchestrate_tui.domain.graph import StageGraph


class Scheduler:
    """Hands out stages: first `freed` ones, to be looked at, then `ready` ones, to be started.

    A stage is freed once, when everything it depends on has ended well. Whoever drives the run
    then skips it, lets it wait for an approval, or calls it ready. Ready stages are handed out
    in the order of the file, at most `max_parallel` at a time.
    """

    def __init__(self, graph: StageGraph, max_parallel: int) -> None:
        self._graph = graph
        self._missing = {name: len(graph.dependencies[name]) for name in graph.names}
        self._freed = deque(name for name in graph.names if not self._missing[name])
        self._ready: list[int] = []
        self._places = max_parallel
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing more may start."""
        return self._is_closed

    def take_freed(self) -> str | None:
        """A stage whose dependencies have ended well, to be looked at; None for no such stage."""
        return self._freed.popleft() if self._freed and not self._is_closed else None

    def take_ready(self) -> str | None:
        """A stage to start, which now holds a place; None without a stage or a place."""
        if self._is_closed or not self._ready or self._places <= 0:
            return None
        self._places -= 1
        return self._graph.names[heappop(self._ready)]

    def take_place(self) -> None:
        """Give a place to a stage that runs already, even if none is free."""
        self._places -= 1

    def make_ready(self, name: str) -> None:
        """Let the stage start when its turn comes."""
        heappush(self._ready, self._graph.position[name])

    def free_place(self) -> None:
        """Give back the place of a stage that does not run any more."""
        self._places += 1

    def end_well(self, names: Iterable[str]) -> None:
        """Note stages that ended well, which may free those that depend on them."""
        for name in names:
            for dependant in self._graph.dependants[name]:
                self._missing[dependant] -= 1
                if not self._missing[dependant]:
                    self._freed.append(dependant)

    def close(self) -> None:
        """Start nothing more."""
        self._is_closed = True
