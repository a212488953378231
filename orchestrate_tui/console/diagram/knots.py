"""Wires of a channel that wait for each other in a circle, and cutting the circles open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from orchestrate_tui.console.diagram.wires import Channel, Row, Wire


def untie(channel: Channel) -> None:
    """Cut wires, the shortest first, until all of them can stand in an order."""
    line = _Line(channel)
    shortest = _shortest_first(channel)
    while line.is_blocked:
        line.cut(next(wire for wire in shortest if wire not in line.placed))


def _shortest_first(channel: Channel) -> Iterator[Wire]:
    """The wires that can be cut; what is said of one holds until it is cut itself."""
    wires = [wire for wire in channel.wires if not wire.is_straight and channel.exits(wire)]
    yield from sorted(wires, key=lambda wire: wire.bottom - wire.top)


class _Line:
    """Which wires can stand in an order so far, and how many wires each other one waits for."""

    def __init__(self, channel: Channel) -> None:
        self.placed: set[Wire] = set()
        self._channel = channel
        wires = [wire for wire in channel.wires if not wire.is_straight]
        self._after: dict[Wire, dict[Wire, int]] = {wire: {} for wire in wires}
        self._waiting = dict.fromkeys(wires, 0)
        for row in channel.rows.values():
            self._join(row)
        self._place(wires)

    @property
    def is_blocked(self) -> bool:
        """Whether some wires cannot stand anywhere."""
        return len(self.placed) < len(self._waiting)

    def cut(self, wire: Wire) -> None:
        """Cut a wire that is not placed, and place what can be placed then."""
        rows = [self._channel.rows[row] for row in wire.lefts | wire.rights]
        for row in rows:
            self._part(row)
        free = self._channel.rows[self._channel.cut(wire)]
        del self._waiting[wire]
        followers = self._after.pop(wire)
        halves = list(free.chain())
        for half in halves:
            self._after[half], self._waiting[half] = {}, 0
        for row in (*rows, free):
            self._join(row)
        self._place([*halves, *followers])

    def _join(self, row: Row) -> None:
        for left, right in pairwise(row.chain()):
            times = self._after[left].get(right, 0)
            self._after[left][right] = times + 1
            if not times and left not in self.placed:
                self._waiting[right] += 1

    def _part(self, row: Row) -> None:
        for left, right in pairwise(row.chain()):
            self._after[left][right] -= 1
            if not self._after[left][right]:
                del self._after[left][right]
                if left not in self.placed:
                    self._waiting[right] -= 1

    def _place(self, wires: Iterable[Wire]) -> None:
        ready = [wire for wire in wires if not self._waiting[wire]]
        while ready:
            wire = ready.pop()
            if wire in self.placed:
                continue
            self.placed.add(wire)
            for follower in self._after[wire]:
                self._waiting[follower] -= 1
                if not self._waiting[follower]:
                    ready.append(follower)
