"""Moving from stage to stage with the arrow keys: along the lines, and up and down a layer."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrate_tui.console.diagram.layout import Layout
from orchestrate_tui.domain.graph import StageGraph


def right(layout: Layout, graph: StageGraph, name: str) -> str:
    """The dependant that is drawn nearest; without one the nearest stage of the next layer."""
    return _nearest(layout, name, graph.dependants[name] or _layer(layout, name, 1))


def left(layout: Layout, graph: StageGraph, name: str) -> str:
    """The dependency that is drawn nearest; without one the nearest stage of the layer before."""
    return _nearest(layout, name, graph.dependencies[name] or _layer(layout, name, -1))


def above(layout: Layout, _: StageGraph, name: str) -> str:
    """The stage over it; from the top of a layer the nearest one higher up elsewhere."""
    return _beside(layout, name, -1)


def below(layout: Layout, _: StageGraph, name: str) -> str:
    """The stage under it; from the bottom of a layer the nearest one lower down elsewhere."""
    return _beside(layout, name, 1)


def _layer(layout: Layout, name: str, step: int) -> tuple[str, ...]:
    layer = layout.boxes[name].layer + step
    return layout.layers[layer] if 0 <= layer < len(layout.layers) else ()


def _beside(layout: Layout, name: str, step: int) -> str:
    box = layout.boxes[name]
    layer = layout.layers[box.layer]
    place = layer.index(name) + step
    if 0 <= place < len(layer):
        return layer[place]
    others = (other for other in layout.boxes.values() if (other.row - box.row) * step > 0)
    return _nearest(layout, name, (other.name for other in others))


def _nearest(layout: Layout, name: str, candidates: Iterable[str]) -> str:
    """The candidate that is drawn nearest to `name`; without any, `name` itself."""
    box = layout.boxes[name]

    def distance(other: str) -> tuple[int, int]:
        there = layout.boxes[other]
        return abs(there.layer - box.layer), abs(there.row - box.row)

    return min(candidates, key=distance, default=name)


STEPS = {"left": left, "right": right, "above": above, "below": below}
"""The step in each direction."""
