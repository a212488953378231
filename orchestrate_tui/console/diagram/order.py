"""The order of the items in each layer: barycentre sweeps that keep the fewest crossings."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from orchestrate_tui.console.diagram.nets import Layers, Pins

SMALL = 300
"""Up to this many items there is time for many sweeps."""


def ordered(layers: Layers) -> tuple[tuple[int, ...], ...]:
    """The layers with their items from top to bottom."""
    order = [list(layer) for layer in layers.layers]
    best, fewest = _copy(order), _crossings(order, layers.channels)
    patience = 4 if sum(map(len, order)) <= SMALL else 1
    misses = sweep = 0
    while fewest and misses < patience:
        _sweep(order, layers.channels, forward=sweep % 2 == 0)
        crossings = _crossings(order, layers.channels)
        misses += 1
        if crossings < fewest:
            best, fewest, misses = _copy(order), crossings, 0
        sweep += 1
    return tuple(map(tuple, best))


def _copy(order: list[list[int]]) -> list[list[int]]:
    return [layer.copy() for layer in order]


def _sweep(order: list[list[int]], channels: Sequence[Sequence[Pins]], *, forward: bool) -> None:
    """Sort every layer by where the neighbours of its items stand in the layer before."""
    steps = range(len(channels)) if forward else range(len(channels) - 1, -1, -1)
    for index in steps:
        fixed, sorted_layer = (index, index + 1) if forward else (index + 1, index)
        pulls: dict[int, tuple[float, int]] = {}
        place = {item: position for position, item in enumerate(order[fixed])}
        for pins in channels[index]:
            near, far = (pins.lefts, pins.rights) if forward else (pins.rights, pins.lefts)
            _pull(pulls, far, [place[item] for item in near])
        _sort(order[sorted_layer], pulls)


def _pull(pulls: dict[int, tuple[float, int]], items: Iterable[int], places: list[int]) -> None:
    total, count = sum(places), len(places)
    for item in items:
        before, number = pulls.get(item, (0.0, 0))
        pulls[item] = (before + total, number + count)


def _sort(layer: list[int], pulls: dict[int, tuple[float, int]]) -> None:
    wish = {}
    for position, item in enumerate(layer):
        total, count = pulls.get(item, (position, 1))
        wish[item] = total / count
    layer.sort(key=wish.__getitem__)


def _crossings(order: list[list[int]], channels: Sequence[Sequence[Pins]]) -> int:
    return sum(
        _crossings_between(order[index], order[index + 1], channel)
        for index, channel in enumerate(channels)
    )


def _crossings_between(left: list[int], right: list[int], channel: Sequence[Pins]) -> int:
    """How many pairs of lines stand in opposite order on the two sides."""
    left_place = {item: position for position, item in enumerate(left)}
    right_place = {item: position for position, item in enumerate(right)}
    lines: list[tuple[float, float]] = []
    for pins in channel:
        lefts = [left_place[item] for item in pins.lefts]
        rights = [right_place[item] for item in pins.rights]
        lines += _lines(lefts, rights)
    lines.sort()
    seen: list[float] = []
    found = 0
    for _, place in lines:
        found += len(seen) - bisect_right(seen, place)
        insort(seen, place)
    return found


def _lines(lefts: list[int], rights: list[int]) -> list[tuple[float, float]]:
    """The lines of one net; between many and many they meet in the middle to stay few."""
    if len(lefts) == 1 or len(rights) == 1:
        return [(one, other) for one in lefts for other in rights]
    left_middle, right_middle = sum(lefts) / len(lefts), sum(rights) / len(rights)
    gathered: list[tuple[float, float]] = [(one, right_middle) for one in lefts]
    return gathered + [(left_middle, other) for other in rights]
