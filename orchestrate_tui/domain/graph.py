"""Which stage waits for which: the rules of `depends_on` and `parallel_with` made explicit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush

from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.values import dataclass


@dataclass(frozen=True)
class StageGraph:
    """The stages in file order, what each waits for, and what waits for each.

    A stage without `depends_on` waits for everything above it in the file; of these only the
    ones that no other stage above waits for are listed, which means the same and keeps the
    graph of a plain list linear.
    """

    names: tuple[str, ...]
    dependencies: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, stages: Sequence[Stage]) -> StageGraph:
        """The graph of `stages`; references to stages that do not exist are left out."""
        return cls(tuple(stage.name for stage in stages), _dependencies(stages))

    @cached_property
    def dependants(self) -> Mapping[str, tuple[str, ...]]:
        """For every stage the stages that wait for it, in file order."""
        found: dict[str, list[str]] = {name: [] for name in self.names}
        for name in self.names:
            for dependency in self.dependencies[name]:
                found[dependency].append(name)
        return {name: tuple(waiting) for name, waiting in found.items()}

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Where each stage stands in the file, from 0."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """A topological order, ties in file order; stages on a cycle are missing."""
        if come_after(self.names, self.dependencies):
            return self.names
        waiting = {name: len(self.dependencies[name]) for name in self.names}
        ready = [self.position[name] for name, count in waiting.items() if not count]
        heapify(ready)
        ordered = []
        while ready:
            name = self.names[heappop(ready)]
            ordered.append(name)
            for dependant in self.dependants[name]:
                waiting[dependant] -= 1
                if not waiting[dependant]:
                    heappush(ready, self.position[dependant])
        return tuple(ordered)

    def downstream(self, *starts: str) -> frozenset[str]:
        """The stages that wait for one of `starts`, directly or not; without themselves."""
        return reachable(self.dependants, starts)

    def upstream(self, *starts: str) -> frozenset[str]:
        """The stages that one of `starts` waits for, directly or not; without themselves."""
        return reachable(self.dependencies, starts)

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """At least one cycle for each knot of stages that wait for each other; see find_cycles."""
        return find_cycles(self.names, self.dependencies)


def come_after(
    names: Iterable[str], edges: Mapping[str, Iterable[str]], first: Iterable[str] = ()
) -> bool:
    """Whether each of `names` comes after all that its `edges` lead to; `first` come before."""
    seen = set(first)
    for name in names:
        if not seen.issuperset(edges[name]):
            return False
        seen.add(name)
    return True


def find_cycles(
    names: Sequence[str], edges: Mapping[str, Iterable[str]]
) -> tuple[tuple[str, ...], ...]:
    """Cycles in `edges` that share no stage, at least one for each knot.

    Each starts with its first stage in the order of `names`, and each stage waits for the one
    before it.
    """
    position = {name: index for index, name in enumerate(names)}
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in names:
        path = {} if start in done else {start: iter(edges[start])}
        while path:
            target = next(path[next(reversed(path))], None)
            if target is None:
                done.add(path.popitem()[0])
            elif target in path:
                cycle = _unwind(path, target)
                done.update(cycle)
                first = cycle.index(min(cycle, key=position.__getitem__))
                found.append((*cycle[first:], *cycle[:first]))
            elif target not in done:
                path[target] = iter(edges.get(target, ()))
    return tuple(sorted(found, key=lambda cycle: position[cycle[0]]))


def _unwind(path: dict[str, Iterator[str]], start: str) -> list[str]:
    """Take everything from the end of `path` back to `start`, in that order."""
    taken = []
    while start in path:
        taken.append(path.popitem()[0])
    return taken


def reachable(edges: Mapping[str, Sequence[str]], starts: Iterable[str]) -> frozenset[str]:
    """What `edges` lead to from `starts`, directly or not; without `starts` themselves."""
    begin = tuple(starts)
    seen: set[str] = set()
    stack = list(begin)
    while stack:
        for target in edges[stack.pop()]:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return frozenset(seen.difference(begin))


def parallel_groups(stages: Sequence[Stage]) -> dict[str, tuple[str, ...]]:
    """For every stage in a `parallel_with` group the members of its group, in file order."""
    if not any(stage.parallel_with for stage in stages):
        return {}
    links: dict[str, list[str]] = {stage.name: [] for stage in stages}
    position = {name: index for index, name in enumerate(links)}
    for stage in stages:
        for partner in stage.parallel_with:
            if partner in links:
                links[stage.name].append(partner)
                links[partner].append(stage.name)
    groups: dict[str, tuple[str, ...]] = {}
    for name, partners in links.items():
        if partners and name not in groups:
            members = reachable(links, (name,)) | {name}
            group = tuple(sorted(members, key=position.__getitem__))
            groups.update(dict.fromkeys(group, group))
    return groups


def _named(stage: Stage, known: frozenset[str]) -> tuple[str, ...]:
    """What the stage itself says that it waits for, each once."""
    named = stage.depends_on or ()
    if len(named) == len(set(named)) and known.issuperset(named):
        return named
    return tuple(name for name in dict.fromkeys(named) if name in known)


def _dependencies(stages: Sequence[Stage]) -> dict[str, tuple[str, ...]]:
    known = frozenset(stage.name for stage in stages)
    groups = parallel_groups(stages)
    if not groups and all(stage.depends_on is not None for stage in stages):
        return {stage.name: _named(stage, known) for stage in stages}
    found: dict[str, tuple[str, ...]] = {}
    ends: dict[str, None] = {}  # the stages so far that no stage so far waits for
    waited_for: set[str] = set()
    for stage in stages:
        first = groups.get(stage.name, (stage.name,))[0]
        own = _named(stage, known)
        if first != stage.name:
            own = tuple(dict.fromkeys((*found[first], *own)))
        elif stage.depends_on is None:
            own = tuple(ends)
        found[stage.name] = tuple(dict.fromkeys(own))
        waited_for.update(own)
        for name in own:
            ends.pop(name, None)
        if stage.name not in waited_for:
            ends[stage.name] = None
    return found
