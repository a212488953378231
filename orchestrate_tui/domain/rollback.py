"""The rollback planner: what is undone, in which order, and what stands in the way.

The scope of a rollback is everything downstream of its target that started in the run and was
not undone before. Undoing goes against the direction of the dependencies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from operator import attrgetter
from types import MappingProxyType

from orchestrate_tui.domain.components import (
    Parts,
    chosen_parts,
    left_dependants,
    part_name,
    why_it_stays,
)
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Pipeline, Stage, Undo
from orchestrate_tui.domain.release import Succession, lacks
from orchestrate_tui.domain.rollback_plan import PlanSkip, PlanStep, RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.domain.undo_order import closure_of, undo_order, undone_after

NOTHING_TO_UNDO = "nothing to undo"
DID_NOT_RUN = "did not run"
IRREVERSIBLE = "irreversible, stays as it is"

_HASHED = attrgetter("agent", "task", "restores", "irreversible", "release")
_NO_RELEASES: Mapping[str, Succession] = MappingProxyType({})
_NOTHING_UNDONE: Mapping[str, frozenset[str]] = MappingProxyType({})
_NO_SNAPSHOTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NOTHING_BROUGHT = Succession()
_RESTORE = Undo(task="", agent="", idempotent=True)
_UNDER_WAY = frozenset({StageStatus.RUNNING, StageStatus.RETRYING})

_Part = tuple[str, str | None]
"""A stage and one of its components, None for the stage as a whole."""


def plan_rollback(
    pipeline: Pipeline,
    graph: StageGraph,
    stages: Mapping[str, StageRun],
    *,
    failed_stage: str,
    target: str | None = None,
    simulated: bool = False,
    releases: Mapping[str, Succession] = _NO_RELEASES,
    snapshots: Mapping[str, tuple[str, ...]] = _NO_SNAPSHOTS,
    components: tuple[str, ...] = (),
    undone: Mapping[str, frozenset[str]] = _NOTHING_UNDONE,
    cascade: bool = True,
) -> RollbackPlan:
    """The plan to undo `target` and everything downstream of it; pure.

    `target` None means the failed stage itself; `failed_stage` "" every stage that ran, each
    undone as if it were the target. In a simulated run every agent exists, the
    rollback agent too. `releases` says of stages with an environment what they brought there,
    `snapshots` which paths were kept before they, or their components, ran. `components` narrows
    it to these; `undone` are the components of stages that were undone before. Without `cascade`
    the target alone is undone, and what came after it stays.
    Raises KeyError for a stage that the pipeline does not have.
    """
    goal = target or failed_stage
    defined = {stage.name: stage for stage in pipeline.stages}
    there = {name for name, stage in stages.items() if is_in_scope(stage)}
    closure = closure_of(defined, graph, there, (goal, failed_stage) if goal else there)
    order = undo_order(closure, there, defined, graph, stages)
    reached = tuple(name for name in order if name in there)
    begun = reached if cascade else tuple(name for name in reached if name == goal)
    parts = {name: chosen_parts(defined[name], components, undone.get(name, ())) for name in begun}
    scope = tuple(name for name in begun if parts[name])
    has_rollback_agent = simulated or pipeline.agent(ROLLBACK_AGENT) is not None
    all_undos = {
        name: undo_of(defined[name], goal or name, has_rollback_agent=has_rollback_agent)
        for name in begun
    }
    undos = {name: all_undos[name] for name in scope}
    restores = {
        (name, part): snapshots.get(part_name(name, part), ())
        for name in scope
        for part in parts[name]
    }
    stuck = {} if simulated else dict(_stuck(pipeline, defined, undos, parts, releases))
    chosen = {
        (name, part): (None if (name, part) in stuck else undos[name])
        or (_RESTORE if paths else None)
        for (name, part), paths in restores.items()
    }
    undos = {name: _first(chosen[name, part] for part in parts[name]) for name in scope}
    steps = tuple(
        _step(defined[name], undo, _of(releases, name, part), restores[name, part], part)
        for (name, part), undo in chosen.items()
        if undo and (undo.task or not undo.irreversible)
    )
    gone = {name: undone.get(name, frozenset()) for name in begun if not parts[name]}
    staying = {name: why_it_stays(defined[name], before) for name, before in gone.items()}
    alone = f"stays as it is: only '{goal}' is undone"
    staying |= dict.fromkeys((name for name in reached if name not in begun), alone)
    hindrance = _hindrance(
        left_dependants(
            defined,
            graph,
            scope,
            [name for name, before in gone.items() if all_undos[name] and not before],
        )
    )
    return RollbackPlan(
        failed_stage=failed_stage,
        target=goal,
        components=components,
        cascade=cascade,
        steps=steps,
        skipped=_skips(
            goal,
            closure if cascade else frozenset((goal,)),
            scope,
            undos,
            stages,
            stuck={part: why for part, why in stuck.items() if chosen[part] is None},
            staying=staying,
        ),
        warnings=(*_warnings(scope, undos, stages, stuck), *filter(None, (hindrance,))),
        irreversible=tuple(name for name in scope if (undo := undos[name]) and undo.irreversible),
        scope=scope,
        refusal=_refusal(goal, steps, undos, stages, stuck=stuck, staying=staying),
        hindrance=hindrance,
        hash=_hash(goal, components, steps, scope),
    )


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
    after = {stage.name: undone_after(stage, graph, undone) for stage in pipeline.stages}
    positions: dict[str, list[int]] = {}
    for index, step in enumerate(plan.steps):
        positions.setdefault(step.stage_name, []).append(index)
    found: list[set[int]] = [set() for _ in plan.steps]
    for name, indexes in positions.items():
        for follower in _next(name, after, positions):
            for index in positions[follower]:
                found[index].update(indexes)
    return tuple(map(frozenset, found))


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
    return stage.started and stage.status is not StageStatus.ROLLED_BACK


def _stuck(
    pipeline: Pipeline,
    defined: Mapping[str, Stage],
    undos: Mapping[str, Undo | None],
    parts: Mapping[str, Parts],
    releases: Mapping[str, Succession],
) -> Iterator[tuple[_Part, str]]:
    """The parts of stages whose undo needs what no earlier release has, and why."""
    agents = {agent.name: agent for agent in pipeline.agents}
    for name, undo in undos.items():
        if undo is None or not undo.task:
            continue
        agent = agents.get(undo.agent or defined[name].agent)
        for part in parts[name]:
            if reason := lacks(undo, agent, _of(releases, name, part)):
                yield (name, part), reason


def _of(releases: Mapping[str, Succession], name: str, part: str | None) -> Succession:
    return releases.get(part_name(name, part), _NOTHING_BROUGHT)


def _first(undos: Iterable[Undo | None]) -> Undo | None:
    return next(filter(None, undos), None)


def _step(
    stage: Stage,
    undo: Undo,
    succession: Succession,
    restores: tuple[str, ...],
    component: str | None,
) -> PlanStep:
    earlier = succession.earlier
    return PlanStep(
        stage_name=stage.name,
        agent=stage.agent if undo.agent is None else undo.agent,
        task=undo.task,
        restores=restores,
        irreversible=undo.irreversible,
        idempotent=undo.idempotent,
        from_version=succession.version,
        to_version=earlier.version if earlier else "",
        release=earlier.id if earlier else None,
        component=component,
        environment=stage.environment,
    )


def _skips(
    target: str,
    closure: frozenset[str],
    scope: tuple[str, ...],
    undos: Mapping[str, Undo | None],
    stages: Mapping[str, StageRun],
    *,
    stuck: Mapping[_Part, str],
    staying: Mapping[str, str],
) -> tuple[PlanSkip, ...]:
    lost = {name for name, _ in stuck}
    reasons = {name: NOTHING_TO_UNDO for name in scope if undos[name] is None and name not in lost}
    reasons |= {name: IRREVERSIBLE for name in scope if _stays(undos[name])}
    reasons |= staying
    for name in closure.difference(scope):
        if stages[name].status is StageStatus.ROLLED_BACK:
            reasons[name] = f"already undone by rollback {stages[name].rolled_back_by}"
    if target and not stages[target].started:
        reasons[target] = DID_NOT_RUN
    found = [PlanSkip(stage_name=name, reason=reason) for name, reason in reasons.items()]
    found += (
        PlanSkip(stage_name=name, component=part, reason=reason, is_stuck=True)
        for (name, part), reason in stuck.items()
    )
    return tuple(sorted(found, key=lambda skip: stages[skip.stage_name].position))


def _stays(undo: Undo | None) -> bool:
    """Whether it is said that the effects cannot be taken back, and nothing is to be done."""
    return undo is not None and undo.irreversible and not undo.task


def _warnings(
    scope: tuple[str, ...],
    undos: Mapping[str, Undo | None],
    stages: Mapping[str, StageRun],
    stuck: Mapping[_Part, str],
) -> Iterable[str]:
    lost = {name for name, _ in stuck}
    for (name, part), reason in stuck.items():
        yield f"stage '{part_name(name, part)}' ran and has nothing to go back to: {reason}"
    for name in scope:
        undo = undos[name]
        if undo is None and name in lost:
            continue
        if undo is None:
            yield f"stage '{name}' ran and has nothing to undo it"
        elif undo.irreversible:
            yield f"stage '{name}' is irreversible: its effects cannot be taken back"
    for name in scope:
        if stages[name].status in _UNDER_WAY:
            yield f"stage '{name}' still runs and will be cancelled first"


def _refusal(
    target: str,
    steps: tuple[PlanStep, ...],
    undos: Mapping[str, Undo | None],
    stages: Mapping[str, StageRun],
    *,
    stuck: Mapping[_Part, str],
    staying: Mapping[str, str],
) -> str:
    if target in staying and stages[target].status is not StageStatus.ROLLED_BACK:
        return f"Stage '{target}' {staying[target]}"
    reasons = [reason for (name, _), reason in stuck.items() if name == target]
    if reasons and undos[target] is None:
        return f"Stage '{target}' has nothing to go back to: {reasons[0]}"
    if target in undos and all(step.stage_name != target for step in steps):
        return f"Stage '{target}' has nothing to undo it"
    if not steps and not target:
        return "Nothing to roll back: no stage that ran has a step left to undo"
    if not steps:
        reason = "did not run" if not stages[target].started else "has no step left to undo"
        return f"Nothing to roll back: stage '{target}' {reason}"
    return ""


def _hindrance(pairs: Iterator[tuple[str, str]]) -> str:
    """The sentence that names the first stage which would stay although it depends on others."""
    for name, other in pairs:
        return f"Stage '{name}' depends on '{other}', and would stay as it is"
    return ""


def _hash(
    target: str,
    components: tuple[str, ...],
    steps: tuple[PlanStep, ...],
    scope: tuple[str, ...],
) -> str:
    undos = {step.part: _HASHED(step) for step in steps}
    names = sorted({*scope, *undos})
    content = (target, components, [(name, undos.get(name)) for name in names])
    return sha256(repr(content).encode()).hexdigest()
