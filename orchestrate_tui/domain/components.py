"""The components of stages: which of them a rollback undoes, and what would stay."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Stage

COMPONENT = "component"
"""The name under which the texts of an undo know what it is for."""

Parts = tuple[str | None, ...]
"""Components of one stage; None is the stage as a whole."""


def part_name(stage_name: str, component: str | None) -> str:
    """A stage, or one component of it, as files, keys and people name it."""
    return stage_name if component is None else f"{stage_name}[{component}]"


def overlaps(some: Collection[str], others: Collection[str]) -> bool:
    """Whether two choices of components have one in common; none chosen means all."""
    return not some or not others or not set(some).isdisjoint(others)


def parts_of(stage: Stage) -> Parts:
    """What of a stage is undone by itself."""
    return stage.components or (None,)


def chosen_parts(stage: Stage, chosen: Collection[str], undone: Collection[str]) -> Parts:
    """What of a stage is undone where the components `chosen` are; none chosen means all.

    `undone` are those that are undone already.
    """
    if not stage.components:
        return () if chosen else (None,)
    left = (one for one in stage.components if one not in undone)
    return tuple(one for one in left if not chosen or one in chosen)


def why_it_stays(stage: Stage, undone: Collection[str]) -> str:
    """Why nothing of a stage is undone with the components that were chosen."""
    if not stage.components:
        return "belongs to no component, stays as it is"
    if undone:
        return f"already undone: {', '.join(one for one in stage.components if one in undone)}"
    return f"stays as it is: it has {', '.join(stage.components)}"


def left_dependants(
    stages: Mapping[str, Stage],
    graph: StageGraph,
    undone: Collection[str],
    staying: Collection[str],
) -> Iterator[tuple[str, str]]:
    """Pairs of a stage that stays and one, all of whose components it depends on, that does not.

    Stages that have a component in common depend on each other component by component.
    """
    for name in staying:
        upstream = graph.upstream(name)
        for other in undone:
            common = set(stages[name].components) & set(stages[other].components)
            if other in upstream and not common:
                yield name, other
