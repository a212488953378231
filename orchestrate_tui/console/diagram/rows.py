"""The row of every item: as near to its neighbours as the order of the layer permits.

Each layer is settled at once by merging items that push each other into blocks that move
together, every block to the median of what its members wish (isotonic regression). Medians
instead of means keep rows whole and lines straight.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrate_tui.console.diagram.nets import Layers, Pins

SWEEPS = 3
BEND_WEIGHT = 2
"""Bends wish more strongly than boxes: long lines are straight first."""


def rows_of(
    layers: Layers, order: Sequence[Sequence[int]], *, height: int, gap: int
) -> dict[int, int]:
    """The middle row of every item; boxes are `height` rows high and `gap` rows apart.

    The topmost row may have any number.
    """
    half = height // 2
    halves = {item: half if item < layers.stage_count else 0 for layer in order for item in layer}
    offsets = [_offsets(layer, halves, gap, layers.stage_count) for layer in order]
    rows = {
        item: offset
        for layer, own in zip(order, offsets, strict=True)
        for item, offset in zip(layer, own, strict=True)
    }
    for _ in range(SWEEPS):
        for index in range(len(order) - 2, -1, -1):
            wishes = _wishes(layers.channels[index], rows, forward=False)
            _settle(order[index], offsets[index], wishes, rows, layers.stage_count)
        for index in range(1, len(order)):
            wishes = _wishes(layers.channels[index - 1], rows, forward=True)
            _settle(order[index], offsets[index], wishes, rows, layers.stage_count)
    return rows


def _offsets(layer: Sequence[int], halves: dict[int, int], gap: int, stage_count: int) -> list[int]:
    """The rows of the items when they are packed as tightly as possible."""
    found: list[int] = []
    for position, item in enumerate(layer):
        if not position:
            found.append(halves[item])
            continue
        above = layer[position - 1]
        between = gap if max(item, above) < stage_count else 0
        found.append(found[-1] + halves[above] + halves[item] + 1 + between)
    return found


def _wishes(
    channel: Sequence[Pins], rows: dict[int, int], *, forward: bool
) -> dict[int, list[int]]:
    """For every item with neighbours on one side the middle rows of the nets it hangs on."""
    wishes: dict[int, list[int]] = {}
    for pins in channel:
        near, far = (pins.lefts, pins.rights) if forward else (pins.rights, pins.lefts)
        middle = _median([rows[item] for item in near])
        for item in far:
            wishes.setdefault(item, []).append(middle)
    return wishes


def _median(values: list[int]) -> int:
    """The middle value; of two middle ones the smaller."""
    return sorted(values)[(len(values) - 1) // 2]


def _settle(
    layer: Sequence[int],
    offsets: Sequence[int],
    wishes: dict[int, list[int]],
    rows: dict[int, int],
    stage_count: int,
) -> None:
    """Move the items of one layer to where they wish to be, in order and without overlap."""
    blocks: list[tuple[list[int], int]] = []  # what each block wishes, how many items it has
    for item, offset in zip(layer, offsets, strict=True):
        wish = _median(wishes[item]) if item in wishes else rows[item]
        values, count = [wish - offset] * (BEND_WEIGHT if item >= stage_count else 1), 1
        while blocks and _upper(blocks[-1][0]) > _upper(values):
            above, more = blocks.pop()
            values, count = sorted(above + values), count + more
        blocks.append((values, count))
    position = 0
    for values, count in blocks:
        start = _upper(values)
        for item, offset in zip(
            layer[position : position + count], offsets[position : position + count], strict=True
        ):
            rows[item] = start + offset
        position += count


def _upper(values: list[int]) -> int:
    return values[len(values) // 2]
