"""A stage graph cut into layers, and the nets that connect neighbouring layers.

Stages with exactly the same dependants share one net, because lines that all lead to the same
places can be one line without hiding who waits for whom. Where a net passes a layer without
ending there it holds a place in it, a bend; one net has at most one bend in each layer.
"""

from __future__ import annotations

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True)
class Pins:
    """The part of one net between two layers: every item in `lefts` leads to all `rights`."""

    lefts: tuple[int, ...]
    rights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """Items are numbered: stages by their place in the file, then bends.

    `channels[i]` connects `layers[i]` with `layers[i + 1]`. `stage_count` is the number of the
    first bend.
    """

    stage_count: int
    layers: tuple[tuple[int, ...], ...]
    channels: tuple[tuple[Pins, ...], ...]


def layers_of(graph: StageGraph) -> Layers:
    """The layers of an acyclic graph: a stage stands right of everything that it waits for."""
    threads = _Threads(_depths(graph))
    for sources, targets in _nets(graph):
        threads.add(sources, targets)
    return Layers(
        len(threads.depth), tuple(map(tuple, threads.layers)), tuple(map(tuple, threads.channels))
    )


def _depths(graph: StageGraph) -> list[int]:
    depth = [0] * len(graph.names)
    for name in graph.order:
        above = [depth[graph.position[other]] for other in graph.dependencies[name]]
        depth[graph.position[name]] = 1 + max(above, default=-1)
    return depth


def _nets(graph: StageGraph) -> list[tuple[list[int], list[int]]]:
    """Sources and targets of every net, in the order of the first sources."""
    sources: dict[tuple[str, ...], list[int]] = {}
    for item, name in enumerate(graph.names):
        if graph.dependants[name]:
            sources.setdefault(graph.dependants[name], []).append(item)
    return [
        (items, [graph.position[name] for name in targets]) for targets, items in sources.items()
    ]


class _Threads:
    """Leads nets through the layers; `depth` is the layer of each stage."""

    def __init__(self, depth: list[int]) -> None:
        self.depth = depth
        self.layers: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
        for item, layer in enumerate(depth):
            self.layers[layer].append(item)
        self.channels: list[list[Pins]] = [[] for _ in self.layers[1:]]
        self._next_bend = len(depth)

    def add(self, sources: list[int], targets: list[int]) -> None:
        """Lead one net from its first source to its last target."""
        first = min(self.depth[item] for item in sources)
        last = max(self.depth[item] for item in targets)
        carried: tuple[int, ...] = ()
        for layer in range(first, last):
            lefts = (*(item for item in sources if self.depth[item] == layer), *carried)
            ending = tuple(item for item in targets if self.depth[item] == layer + 1)
            carried = self._bend(layer + 1) if layer + 1 < last else ()
            self.channels[layer].append(Pins(lefts, (*ending, *carried)))

    def _bend(self, layer: int) -> tuple[int]:
        bend = self._next_bend
        self._next_bend += 1
        self.layers[layer].append(bend)
        return (bend,)
