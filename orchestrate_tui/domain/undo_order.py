"""What a rollback reaches, and in which order it is undone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from orchestrate_tui.domain.graph import StageGraph, come_after, find_cycles
from orchestrate_tui.domain.pipeline import Pipeline, Stage

Edges = Mapping[str, tuple[str, ...]]
"""From each stage to others."""


def undo_cycles(pipeline: Pipeline, graph: StageGraph) -> tuple[tuple[str, ...], ...]:
    """The cycles that `rollback.then` makes with the reverse order of the dependencies."""
    chains = chains_of(pipeline.stages, graph, graph.position)
    return find_cycles(graph.names, undone_after(graph, chains))


def chains_of(stages: Iterable[Stage], graph: StageGraph, undone: Collection[str]) -> Edges:
    """What `then` adds after the undos of those of `stages` that have one and are `undone`.

    It speaks of what follows an undo, so without one it adds nothing.
    """
    return {
        stage.name: tuple(name for name in stage.rollback.then if name in graph.position)
        for stage in stages
        if stage.rollback is not None and stage.rollback.then and stage.name in undone
    }


def undone_after(graph: StageGraph, chains: Edges) -> Edges:
    """For each stage those whose undo comes after its own."""
    before = graph.dependencies
    return {**before, **{name: before[name] + chain for name, chain in chains.items()}}


def closure_of(graph: StageGraph, chains: Edges, starts: Iterable[str]) -> frozenset[str]:
    """`starts`, everything downstream, what `then` adds to these, and so on."""
    closed = set(starts)
    if not chains:
        for name in graph.order:
            if not closed.isdisjoint(graph.dependencies[name]):
                closed.add(name)
        return frozenset(closed)
    waiting = list(closed)
    while waiting:
        name = waiting.pop()
        for other in graph.dependants[name] + chains.get(name, ()):
            if other not in closed:
                closed.add(other)
                waiting.append(other)
    return frozenset(closed)


def undo_order(
    closure: Collection[str], oldest_first: Sequence[str], after: Edges
) -> tuple[str, ...]:
    """Those of a closure that began, dependants first, and else the latest start first.

    `oldest_first` has them in the order of their starts. The others of the closure keep the order
    of what lies on both sides of them. `after` is what undone_after says.
    """
    # a stage that others waited for has started before them, unless one of them was skipped
    if come_after(oldest_first, after, after.keys() - closure):
        return tuple(reversed(oldest_first))
    there = frozenset(oldest_first)
    idle = [name for name in after if name in closure and name not in there]
    ranked = [*idle, *reversed(oldest_first)]
    rank = {name: index for index, name in enumerate(ranked)}
    follow = [[rank[other] for other in after[name] if other in rank] for name in ranked]
    return tuple(ranked[number] for number in _least_first(follow) if number >= len(idle))


def _least_first(follow: Sequence[Sequence[int]]) -> Iterator[int]:
    """The numbers from 0, each before those that `follow` it, and else the least first."""
    waits_for = [0] * len(follow)
    for others in follow:
        for other in others:
            waits_for[other] += 1
    ready = [number for number, count in enumerate(waits_for) if not count]
    while ready:
        number = heappop(ready)
        yield number
        for other in follow[number]:
            waits_for[other] -= 1
            if not waits_for[other]:
                heappush(ready, other)
