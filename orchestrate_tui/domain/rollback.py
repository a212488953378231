"""The rollback planner: what is undone, in which order, and what stands in the way.

The scope of a rollback is everything downstream of its target that started in the run and was
not undone before. Undoing goes against the direction of the dependencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from heapq import heappop, heappush
from itertools import chain
from operator import attrgetter
from types import MappingProxyType

from orchestrate_tui.domain.graph import StageGraph, find_cycles
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Pipeline, Stage, Undo
from orchestrate_tui.domain.release import Succession, lacks
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.snapshot import PathChange
from orchestrate_tui.domain.status import StageStatus

NOTHING_TO_UNDO = "nothing to undo"
DID_NOT_RUN = "did not run"
IRREVERSIBLE = "irreversible, stays as it is"

_HASHED = attrgetter("agent", "task", "restores", "irreversible", "release")
_NO_RELEASES: Mapping[str, Succession] = MappingProxyType({})
_NO_SNAPSHOTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_RESTORE = Undo(task="", agent="", idempotent=True)
_UNDER_WAY = frozenset({StageStatus.RUNNING, StageStatus.RETRYING})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One undo. `restores` names what is put back from a snapshot before the agent runs.

    Without a task that is all, and there is no agent. `changes` is what that would change where
    somebody looked, without the last `unlisted` ones.

    `from_version` is what the stage brought to its environment, "" without a version; `release`
    what the undo goes back to, with its version, None where there was none before.
    """

    stage_name: str
    agent: str
    task: str
    restores: tuple[str, ...] = ()
    irreversible: bool = False
    idempotent: bool = False
    from_version: str = ""
    to_version: str = ""
    release: int | None = None
    changes: tuple[PathChange, ...] = ()
    unlisted: int = 0

    @property
    def doing(self) -> str:
        """What it puts back, and what its agent is told, in one line."""
        parts = [f"put back {', '.join(self.restores)}"] if self.restores else []
        return ", then ".join((*parts, f"{self.task} ({self.agent})") if self.task else parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSkip:
    """A stage that belongs to the rollback but has no step, and why."""

    stage_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """What a rollback from `failed_stage` to `target` would do, in order.

    `refusal` is the sentence that says why it cannot be carried out, "" when it can. A plan has to
    be forced that has `overwrites`, what would be lost that others did since, or where a `newer`
    run has deployed to the same environment.

    `irreversible` names the stages in scope whose effects cannot be taken back. `hash` covers
    the target, the components, the started stages in scope and each undo, so that a plan shown
    to an operator can be compared with the plan at the moment of the request. `definition` is the
    hash of the one whose undos are used, "" for that of the run, and `differences` says where it
    is another.
    """

    failed_stage: str
    target: str
    components: tuple[str, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    skipped: tuple[PlanSkip, ...] = ()
    warnings: tuple[str, ...] = ()
    irreversible: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    refusal: str = ""
    newer: str = ""
    hash: str = ""
    overwrites: tuple[str, ...] = ()
    definition: str = ""
    differences: tuple[str, ...] = ()

    @property
    def must_be_forced(self) -> bool:
        """Whether it would take back what others did since."""
        return bool(self.newer or self.overwrites)


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
) -> RollbackPlan:
    """The plan to undo `target` and everything downstream of it; pure.

    `target` None means the failed stage itself. In a simulated run every agent exists, the
    rollback agent too. `releases` says of stages with an environment what they brought there,
    `snapshots` which paths were kept before they ran.
    Raises KeyError for a stage that the pipeline does not have.
    """
    goal = target or failed_stage
    defined = {stage.name: stage for stage in pipeline.stages}
    there = {name for name, stage in stages.items() if is_in_scope(stage)}
    closure = _closure(defined, graph, there, (goal, failed_stage))
    order = _undo_order(closure, there, defined, graph, stages)
    scope = tuple(name for name in order if name in there)
    has_rollback_agent = simulated or pipeline.agent(ROLLBACK_AGENT) is not None
    undos = {
        name: undo_of(defined[name], goal, has_rollback_agent=has_rollback_agent) for name in scope
    }
    undos |= {name: _RESTORE for name in scope if undos[name] is None and name in snapshots}
    stuck = {} if simulated else dict(_stuck(pipeline, defined, undos, releases))
    undos |= {name: _RESTORE if name in snapshots else None for name in stuck}
    steps = tuple(
        _step(defined[name], undo, releases.get(name, Succession()), snapshots.get(name, ()))
        for name in scope
        if (undo := undos[name]) and (undo.task or not undo.irreversible)
    )
    return RollbackPlan(
        failed_stage=failed_stage,
        target=goal,
        steps=steps,
        skipped=_skips(goal, closure, scope, undos, stages, stuck=stuck),
        warnings=tuple(_warnings(scope, undos, stages, stuck)),
        irreversible=tuple(name for name in scope if (undo := undos[name]) and undo.irreversible),
        scope=scope,
        refusal=_refusal(goal, steps, undos, stages, stuck),
        hash=_hash(goal, steps, scope),
    )


def narrowed(plan: RollbackPlan, stage_names: Iterable[str]) -> RollbackPlan:
    """The plan with only the steps of `stage_names`; what a repeated rollback still has to do."""
    wanted = frozenset(stage_names)
    return replace(plan, steps=tuple(step for step in plan.steps if step.stage_name in wanted))


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
    after = {stage.name: _before(stage, graph, undone) for stage in pipeline.stages}
    position = {step.stage_name: index for index, step in enumerate(plan.steps)}
    found: list[set[int]] = [set() for _ in plan.steps]
    for name, index in position.items():
        for follower in _next(name, after, position):
            found[position[follower]].add(index)
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


def undo_cycles(pipeline: Pipeline, graph: StageGraph) -> tuple[tuple[str, ...], ...]:
    """The cycles that `rollback.then` makes with the reverse order of the dependencies."""
    defined = {stage.name: stage for stage in pipeline.stages}
    return find_cycles(
        graph.names, {name: _before(defined[name], graph, defined) for name in graph.names}
    )


def _before(stage: Stage, graph: StageGraph, undone: Collection[str]) -> tuple[str, ...]:
    """The stages whose undo comes after that of `stage`, if those of `undone` are undone."""
    return graph.dependencies[stage.name] + _chained(stage, graph, undone)


def _chained(stage: Stage, graph: StageGraph, undone: Collection[str]) -> tuple[str, ...]:
    """What `then` adds; it speaks of what follows an undo, so without one it adds nothing."""
    if stage.rollback is None or not stage.rollback.then or stage.name not in undone:
        return ()
    return tuple(name for name in stage.rollback.then if name in graph.position)


def _closure(
    defined: Mapping[str, Stage],
    graph: StageGraph,
    there: Collection[str],
    starts: Iterable[str],
) -> frozenset[str]:
    """`starts`, everything downstream, what `then` adds to these, and so on."""
    closed: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in closed:
            continue
        closed.add(name)
        waiting.extend(graph.dependants[name])
        waiting.extend(_chained(defined[name], graph, there))
    return frozenset(closed)


def _undo_order(
    closure: Collection[str],
    there: Collection[str],
    defined: Mapping[str, Stage],
    graph: StageGraph,
    stages: Mapping[str, StageRun],
) -> Iterator[str]:
    """The closure with dependants first, and of independent stages the latest start first.

    Stages whose effects are not `there` are in it, at the earliest place, so that the order of
    what lies on both sides of a skipped stage is kept.
    """
    after = {name: _before(defined[name], graph, there) for name in graph.names if name in closure}
    waits_for = dict(Counter(chain.from_iterable(after.values())))
    begun = [stages[name] for name in after if name in there]
    latest_first = sorted(begun, key=attrgetter("started_at", "position"), reverse=True)
    idle = [name for name in after if name not in there]
    names = [*idle, *(stage.stage_name for stage in latest_first)]
    rank = {name: index for index, name in enumerate(names)}
    ready = [index for index, name in enumerate(names) if name not in waits_for]
    while ready:
        name = names[heappop(ready)]
        yield name
        for other in after[name]:
            left = waits_for[other] = waits_for[other] - 1
            if not left and other in after:
                heappush(ready, rank[other])


def is_in_scope(stage: StageRun) -> bool:
    """Whether effects of the stage may be there: it started and was not undone."""
    return stage.started and stage.status is not StageStatus.ROLLED_BACK


def _stuck(
    pipeline: Pipeline,
    defined: Mapping[str, Stage],
    undos: Mapping[str, Undo | None],
    releases: Mapping[str, Succession],
) -> Iterator[tuple[str, str]]:
    """The stages whose undo needs what no earlier release has, and why."""
    agents = {agent.name: agent for agent in pipeline.agents}
    for name, undo in undos.items():
        if undo is None or not undo.task:
            continue
        agent = agents.get(undo.agent or defined[name].agent)
        if reason := lacks(undo, agent, releases.get(name, Succession())):
            yield name, reason


def _step(stage: Stage, undo: Undo, succession: Succession, restores: tuple[str, ...]) -> PlanStep:
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
    )


def _skips(
    target: str,
    closure: frozenset[str],
    scope: tuple[str, ...],
    undos: Mapping[str, Undo | None],
    stages: Mapping[str, StageRun],
    *,
    stuck: Mapping[str, str],
) -> tuple[PlanSkip, ...]:
    reasons = {name: NOTHING_TO_UNDO for name in scope if undos[name] is None}
    reasons |= {name: reason for name, reason in stuck.items() if undos[name] is None}
    reasons |= {name: IRREVERSIBLE for name in scope if _stays(undos[name])}
    for name in closure.difference(scope):
        if stages[name].status is StageStatus.ROLLED_BACK:
            reasons[name] = f"already undone by rollback {stages[name].rolled_back_by}"
    if not stages[target].started:
        reasons[target] = DID_NOT_RUN
    in_order = sorted(reasons, key=lambda name: stages[name].position)
    return tuple(PlanSkip(stage_name=name, reason=reasons[name]) for name in in_order)


def _stays(undo: Undo | None) -> bool:
    """Whether it is said that the effects cannot be taken back, and nothing is to be done."""
    return undo is not None and undo.irreversible and not undo.task


def _warnings(
    scope: tuple[str, ...],
    undos: Mapping[str, Undo | None],
    stages: Mapping[str, StageRun],
    stuck: Mapping[str, str],
) -> Iterable[str]:
    for name in scope:
        undo = undos[name]
        if name in stuck:
            yield f"stage '{name}' ran and has nothing to go back to: {stuck[name]}"
        elif undo is None:
            yield f"stage '{name}' ran and has nothing to undo it"
        elif undo.irreversible:
            yield f"stage '{name}' is irreversible: its effects cannot be taken back"
        if stages[name].status in _UNDER_WAY:
            yield f"stage '{name}' still runs and will be cancelled first"


def _refusal(
    target: str,
    steps: tuple[PlanStep, ...],
    undos: Mapping[str, Undo | None],
    stages: Mapping[str, StageRun],
    stuck: Mapping[str, str],
) -> str:
    if target in stuck and undos[target] is None:
        return f"Stage '{target}' has nothing to go back to: {stuck[target]}"
    if target in undos and all(step.stage_name != target for step in steps):
        return f"Stage '{target}' has nothing to undo it"
    if not steps:
        reason = "did not run" if not stages[target].started else "has no step left to undo"
        return f"Nothing to roll back: stage '{target}' {reason}"
    return ""


def _hash(target: str, steps: tuple[PlanStep, ...], scope: tuple[str, ...]) -> str:
    undos = {step.stage_name: _HASHED(step) for step in steps}
    content = (target, (), [(name, undos.get(name)) for name in sorted(scope)])
    return sha256(repr(content).encode()).hexdigest()
