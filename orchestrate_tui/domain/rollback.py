"""What a rollback of a run may go back to, and in which order its steps may be taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Pipeline, Stage, Undo
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.domain.undo_order import chains_of, undone_after

if TYPE_CHECKING:
    from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan

NOTHING_TO_UNDO = "nothing to undo"
DID_NOT_RUN = "did not run"
IRREVERSIBLE = "irreversible, stays as it is"
PRUNED = "what was kept before it was pruned"


def narrowed(plan: RollbackPlan, parts: Iterable[str]) -> RollbackPlan:
    """The plan with only the steps of `parts`; what a repeated rollback still has to do."""
    wanted = frozenset(parts)
    return replace(plan, steps=tuple(step for step in plan.steps if step.part in wanted))


def step_predecessors(
    pipeline: Pipeline, graph: StageGraph, plan: RollbackPlan
) -> tuple[frozenset[int], ...]:
    """For each step the positions of the steps that have to be done before it.

    That is the step before it, or with `parallel_rollback` only the undos of its dependants;
    what has to be done before these is not repeated.
    """
    if not pipeline.parallel_rollback:
        return tuple(frozenset(range(i - 1, i) if i else ()) for i in range(len(plan.steps)))
    undone = frozenset(plan.scope)
    after = undone_after(graph, chains_of(pipeline.stages, graph, undone))
    positions: dict[str, list[int]] = {}
    for index, step in enumerate(plan.steps):
        positions.setdefault(step.stage_name, []).append(index)
    found: list[set[int]] = [set() for _ in plan.steps]
    for name, indexes in positions.items():
        for follower in _next(name, after, positions):
            for index in positions[follower]:
                found[index].update(indexes)
    return tuple(map(frozenset, found))


def parts_before(
    pipeline: Pipeline, graph: StageGraph, plan: RollbackPlan, step: PlanStep
) -> frozenset[str]:
    """The parts that have been undone when a step starts."""
    predecessors = step_predecessors(pipeline, graph, plan)
    waiting, found = [plan.steps.index(step)], set[int]()
    while waiting:
        more = predecessors[waiting.pop()] - found
        found |= more
        waiting.extend(more)
    return frozenset(plan.steps[index].part for index in found)


def _next(start: str, after: Mapping[str, Iterable[str]], stops: Collection[str]) -> Iterator[str]:
    """The first of `stops` on every way from `start`, and not what comes after them."""
    seen: set[str] = set()
    waiting = list(after[start])
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in stops:
            yield name
        else:
            waiting.extend(after[name])


def possible_targets(
    pipeline: Pipeline, graph: StageGraph, stages: Mapping[str, StageRun], failed_stage: str
) -> tuple[str, ...]:
    """The stages that a manual rollback of `failed_stage` may go back to, in file order."""
    candidates = graph.upstream(failed_stage) | {failed_stage}
    return tuple(
        stage.name
        for stage in pipeline.stages
        if stage.name in candidates and is_in_scope(stages[stage.name])
    )


def undo_of(stage: Stage, target: str, *, has_rollback_agent: bool) -> Undo | None:
    """How `stage` is undone in a rollback to `target`; None when nothing undoes it."""
    if stage.rollback is not None:
        return stage.rollback
    if stage.name == target and has_rollback_agent:
        return Undo(agent=ROLLBACK_AGENT, task=f"Rollback {stage.name}")
    return None


def is_undone_as_target(pipeline: Pipeline, stage: Stage, *, simulated: bool) -> bool:
    """Whether something undoes `stage` when a rollback goes back to it."""
    has_agent = simulated or pipeline.agent(ROLLBACK_AGENT) is not None
    undo = undo_of(stage, stage.name, has_rollback_agent=has_agent)
    if undo is None:
        return stage.snapshot is not None and bool(stage.snapshot.paths)
    return bool(undo.task)


def is_in_scope(stage: StageRun) -> bool:
    """Whether effects of the stage may be there: it started and was not undone."""
    return stage.started_at is not None and stage.status is not StageStatus.ROLLED_BACK
