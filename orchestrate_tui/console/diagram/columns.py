"""The columns of a channel's wires: as few as possible, in an order that every row permits."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from orchestrate_tui.console.diagram.knots import untie
from orchestrate_tui.console.diagram.wires import Channel, Wire
from orchestrate_tui.values import dataclass


@dataclass(slots=True)
class _Order:
    """Which wire has to stand left of which."""

    after: dict[Wire, set[Wire]]
    waiting: dict[Wire, int]


def assign_columns(channel: Channel) -> int:
    """Give every vertical line its column, cutting wires that block each other; the count."""
    untie(channel)
    order = _order(channel)
    return _pack(_sequence(order), order)


def _order(channel: Channel) -> _Order:
    wires = [wire for wire in channel.wires if not wire.is_straight]
    order = _Order({wire: set() for wire in wires}, dict.fromkeys(wires, 0))
    for row in channel.rows.values():
        for left, right in pairwise(row.chain()):
            if right not in order.after[left]:
                order.after[left].add(right)
                order.waiting[right] += 1
    return order


def _sequence(order: _Order) -> list[Wire]:
    """The wires from left to right."""
    waiting = dict(order.waiting)
    keys = {wire: (*_preference(wire), number) for number, wire in enumerate(waiting)}
    ready = [(keys[wire], wire) for wire, count in waiting.items() if not count]
    heapify(ready)
    sequence: list[Wire] = []
    while ready:
        _, wire = heappop(ready)
        sequence.append(wire)
        for follower in order.after[wire]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heappush(ready, (keys[follower], follower))
    return sequence


def _preference(wire: Wire) -> tuple[float, float]:
    """Small for what is better left: of lines that lead down the lowest, of others the highest."""
    begin = sum(wire.lefts) / len(wire.lefts)
    end = sum(wire.rights) / len(wire.rights)
    return (-begin, -end) if end > begin else (begin, end)


def _pack(sequence: Sequence[Wire], order: _Order) -> int:
    """Place each wire in the first column that is free along its whole length."""
    first = dict.fromkeys(sequence, 0)
    taken: list[list[tuple[int, int]]] = []
    for wire in sequence:
        span = (wire.top, wire.bottom)
        column = first[wire]
        while column < len(taken) and not _fits(taken[column], span):
            column += 1
        if column == len(taken):
            taken.append([])
        insort(taken[column], span)
        wire.column = column
        for follower in order.after[wire]:
            first[follower] = max(first[follower], column + 1)
    return len(taken)


def _fits(spans: list[tuple[int, int]], span: tuple[int, int]) -> bool:
    place = bisect_left(spans, span)
    above_ends = not place or spans[place - 1][1] < span[0]
    return above_ends and (place == len(spans) or spans[place][0] > span[1])
