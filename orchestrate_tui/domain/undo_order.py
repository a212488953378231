"""What a rollback reaches, and in which order it is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import chain

from orchestrate_tui.domain.graph import StageGraph, find_cycles
from orchestrate_tui.domain.pipeline import Pipeline, Stage


def undo_cycles(pipeline: Pipeline, graph: StageGraph) -> tuple[tuple[str, ...], ...]:
    """The cycles that `rollback.then` makes with the reverse order of the dependencies."""
    defined = {stage.name: stage for stage in pipeline.stages}
    return find_cycles(
        graph.names, {name: undone_after(defined[name], graph, defined) for name in graph.names}
    )


def undone_after(stage: Stage, graph: StageGraph, undone: Collection[str]) -> tuple[str, ...]:
    """The stages whose undo comes after that of `stage`, if those of `undone` are undone."""
    before = graph.dependencies[stage.name]
    if stage.rollback is None or not stage.rollback.then:
        return before
    return before + _chained(stage, graph, undone)


def _chained(stage: Stage, graph: StageGraph, undone: Collection[str]) -> tuple[str, ...]:
    """What `then` adds; it speaks of what follows an undo, so without one it adds nothing."""
    if stage.rollback is None or not stage.rollback.then or stage.name not in undone:
        return ()
    return tuple(name for name in stage.rollback.then if name in graph.position)


def closure_of(
    defined: Mapping[str, Stage],
    graph: StageGraph,
    there: Collection[str],
    starts: Iterable[str],
) -> frozenset[str]:
    """`starts`, everything downstream, what `then` adds to these, and so on."""
    chains = {name for name, one in defined.items() if one.rollback and one.rollback.then}
    closed = set(starts)
    waiting = list(closed)
    while waiting:
        name = waiting.pop()
        follow = graph.dependants[name]
        if name in chains:
            follow += _chained(defined[name], graph, there)
        for other in follow:
            if other not in closed:
                closed.add(other)
                waiting.append(other)
    return frozenset(closed)


def undo_order(
    closure: Collection[str],
    there: Collection[str],
    defined: Mapping[str, Stage],
    graph: StageGraph,
    latest_first: Iterable[str],
) -> Iterator[str]:
    """The closure with dependants first, and of independent stages the latest start first.

    `latest_first` are the stages whose effects are `there`, in the reverse order of their starts.
    The others of the closure come at the earliest place, so that the order of what lies on both
    sides of a skipped stage is kept.
    """
    after = {
        name: undone_after(defined[name], graph, there) for name in graph.names if name in closure
    }
    waits_for = dict(Counter(chain.from_iterable(after.values())))
    idle = [name for name in after if name not in there]
    names = [*idle, *(name for name in latest_first if name in after)]
    rank = {name: index for index, name in enumerate(names)}
    ready = [index for index, name in enumerate(names) if name not in waits_for]
    while ready:
        name = names[heappop(ready)]
        yield name
        for other in after[name]:
            left = waits_for[other] = waits_for[other] - 1
            if not left and other in after:
                heappush(ready, rank[other])
