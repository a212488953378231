"""The rollback planner: what is undone, in which order, and what stands in the way.

The scope of a rollback is everything downstream of its target that started in the run and was
not undone before. Undoing goes against the direction of the dependencies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
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
from orchestrate_tui.domain.rollback import (
    DID_NOT_RUN,
    IRREVERSIBLE,
    NOTHING_TO_UNDO,
    PRUNED,
    is_in_scope,
    undo_of,
)
from orchestrate_tui.domain.rollback_plan import PlanSkip, PlanStep, RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.domain.undo_order import closure_of, undo_order

_HASHED = attrgetter("agent", "task", "restores", "irreversible", "release")
_NO_RELEASES: Mapping[str, Succession] = MappingProxyType({})
_NOTHING_UNDONE: Mapping[str, frozenset[str]] = MappingProxyType({})
_NO_SNAPSHOTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NO_STARTS: Mapping[str, int] = MappingProxyType({})
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
    pruned: Collection[str] = (),
    components: tuple[str, ...] = (),
    undone: Mapping[str, frozenset[str]] = _NOTHING_UNDONE,
    cascade: bool = True,
    starts: Mapping[str, int] = _NO_STARTS,
) -> RollbackPlan:
    """The plan to undo `target` and everything downstream of it; pure.

    `target` None means the failed stage itself; `failed_stage` "" every stage that ran, each
    undone as if it were the target. In a simulated run every agent exists, the
    rollback agent too. `releases` says of stages with an environment what they brought there,
    `snapshots` which paths were kept before they, or their components, ran, and `pruned` of which
    of them that is gone. `components` narrows it to these; `undone` are the components of stages
    that were undone before. Without `cascade` the target alone is undone, and what came after it
    stays. `starts` says in which order the stages began; without it their times do.
    Raises KeyError for a stage that the pipeline does not have.
    """
    draft = _Draft(
        pipeline=pipeline,
        graph=graph,
        stages=stages,
        failed_stage=failed_stage,
        target=target or failed_stage,
        simulated=simulated,
        releases=releases,
        snapshots=snapshots,
        pruned=pruned,
        components=components,
        undone=undone,
        cascade=cascade,
        starts=starts,
    )
    return draft.plan()


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A plan in the making: each part of it follows from what was given and the parts above it."""

    pipeline: Pipeline
    graph: StageGraph
    stages: Mapping[str, StageRun]
    failed_stage: str
    target: str
    simulated: bool
    releases: Mapping[str, Succession]
    snapshots: Mapping[str, tuple[str, ...]]
    pruned: Collection[str]
    components: tuple[str, ...]
    undone: Mapping[str, frozenset[str]]
    cascade: bool
    starts: Mapping[str, int]

    def plan(self) -> RollbackPlan:
        """The plan. Raises KeyError for a stage that the pipeline does not have."""
        return RollbackPlan(
            failed_stage=self.failed_stage,
            target=self.target,
            components=self.components,
            cascade=self.cascade,
            steps=self.steps,
            skipped=self.skipped,
            warnings=tuple(self._warnings()),
            irreversible=tuple(self._irreversible()),
            scope=self.scope,
            refusal=self._refusal(),
            hindrance=self.hindrance,
            hash=self._hash(),
        )

    # What is undone

    @cached_property
    def defined(self) -> dict[str, Stage]:
        """The stages as the pipeline defines them, by name."""
        return {stage.name: stage for stage in self.pipeline.stages}

    @cached_property
    def there(self) -> frozenset[str]:
        """The stages whose effects may be there."""
        return frozenset(name for name, stage in self.stages.items() if is_in_scope(stage))

    @cached_property
    def closure(self) -> frozenset[str]:
        """All that follows from the target, whether it ran or not."""
        starts = (self.target, self.failed_stage) if self.target else self.there
        return closure_of(self.defined, self.graph, self.there, starts)

    @cached_property
    def latest_first(self) -> list[str]:
        """The stages whose effects may be there, in the reverse order of their starts."""
        begun = [self.stages[name] for name in self.there]
        by_time = sorted(begun, key=attrgetter("started_at", "position"), reverse=True)
        names = [stage.stage_name for stage in by_time]
        return sorted(names, key=lambda name: self.starts.get(name, 0), reverse=True)

    @cached_property
    def reached(self) -> tuple[str, ...]:
        """What of that is there, in the order of undoing."""
        order = undo_order(self.closure, self.there, self.defined, self.graph, self.latest_first)
        return tuple(name for name in order if name in self.there)

    @cached_property
    def asked_for(self) -> tuple[str, ...]:
        """What of that is to be undone, of whatever components it is."""
        if self.cascade:
            return self.reached
        return tuple(name for name in self.reached if name == self.target)

    @cached_property
    def parts(self) -> dict[str, Parts]:
        """What is undone by itself of each stage that is asked for."""
        return {
            name: chosen_parts(self.defined[name], self.components, self.undone.get(name, ()))
            for name in self.asked_for
        }

    @cached_property
    def scope(self) -> tuple[str, ...]:
        """The stages of which something is undone, in order."""
        return tuple(name for name in self.asked_for if self.parts[name])

    # How it is undone

    @cached_property
    def declared(self) -> dict[str, Undo | None]:
        """How each stage that is asked for is undone, if all that needs is there."""
        has_agent = self.simulated or self.pipeline.agent(ROLLBACK_AGENT) is not None
        return {
            name: undo_of(self.defined[name], self.target or name, has_rollback_agent=has_agent)
            for name in self.asked_for
        }

    @cached_property
    def stuck(self) -> dict[_Part, str]:
        """The parts whose undo needs what no earlier release has, or what was pruned, and why."""
        return {} if self.simulated else dict(self._stuck())

    @cached_property
    def chosen(self) -> dict[_Part, Undo | None]:
        """How each part is undone; what has no undo but a snapshot is only put back."""
        return {
            (name, part): (None if (name, part) in self.stuck else self.declared[name])
            or (_RESTORE if self._kept(name, part) else None)
            for name in self.scope
            for part in self.parts[name]
        }

    @cached_property
    def undos(self) -> dict[str, Undo | None]:
        """How each stage in scope is undone, by the first of its parts that can be."""
        return {
            name: next(filter(None, (self.chosen[name, part] for part in self.parts[name])), None)
            for name in self.scope
        }

    @cached_property
    def steps(self) -> tuple[PlanStep, ...]:
        """What is done, in order."""
        return tuple(
            self._step(self.defined[name], part, undo)
            for (name, part), undo in self.chosen.items()
            if undo and not _stays(undo)
        )

    def _stuck(self) -> Iterator[tuple[_Part, str]]:
        agents = {agent.name: agent for agent in self.pipeline.agents}
        for name in self.scope:
            stage, undo = self.defined[name], self.declared[name]
            for part in self.parts[name]:
                if self.pruned and self._is_pruned(stage, part):
                    yield (name, part), PRUNED
                elif undo is not None and undo.task:
                    agent = agents.get(undo.agent or stage.agent)
                    if reason := lacks(undo, agent, self._succession(name, part)):
                        yield (name, part), reason

    def _is_pruned(self, stage: Stage, part: str | None) -> bool:
        is_kept = stage.snapshot is not None and bool(stage.snapshot.paths)
        return is_kept and part_name(stage.name, part) in self.pruned

    def _kept(self, name: str, part: str | None) -> tuple[str, ...]:
        return self.snapshots.get(part_name(name, part), ())

    def _succession(self, name: str, part: str | None) -> Succession:
        return self.releases.get(part_name(name, part), _NOTHING_BROUGHT)

    def _step(self, stage: Stage, part: str | None, undo: Undo) -> PlanStep:
        succession = self._succession(stage.name, part)
        earlier = succession.earlier
        return PlanStep(
            stage_name=stage.name,
            agent=stage.agent if undo.agent is None else undo.agent,
            task=undo.task,
            restores=self._kept(stage.name, part),
            irreversible=undo.irreversible,
            idempotent=undo.idempotent,
            from_version=succession.version,
            to_version=earlier.version if earlier else "",
            release=earlier.id if earlier else None,
            component=part,
            environment=stage.environment,
        )

    # What is not undone, and what the operator has to know

    @cached_property
    def staying(self) -> dict[str, str]:
        """The stages that stay as they are because less than all was asked for, and why."""
        alone = f"stays as it is: only '{self.target}' is undone"
        kept_apart = {
            name: why_it_stays(self.defined[name], self.undone.get(name, frozenset()))
            for name in self.asked_for
            if not self.parts[name]
        }
        return kept_apart | {name: alone for name in self.reached if name not in self.parts}

    @cached_property
    def skipped(self) -> tuple[PlanSkip, ...]:
        """What belongs to the rollback but has no step, in the order in which it ran."""
        found = [PlanSkip(stage_name=name, reason=why) for name, why in self._unneeded().items()]
        found += (
            PlanSkip(stage_name=name, component=part, reason=reason, is_stuck=True)
            for (name, part), reason in self.stuck.items()
            if self.chosen[name, part] is None
        )
        return tuple(sorted(found, key=lambda skip: self.stages[skip.stage_name].position))

    def _unneeded(self) -> dict[str, str]:
        """The stages that have no step although nothing is missing, and why."""
        lost = {name for name, _ in self.stuck}
        bare = (name for name in self.scope if self.undos[name] is None and name not in lost)
        reasons = dict.fromkeys(bare, NOTHING_TO_UNDO)
        reasons |= {name: IRREVERSIBLE for name in self.scope if _stays(self.undos[name])}
        reasons |= self.staying
        named = self.closure if self.cascade else frozenset((self.target,))
        for name in named.difference(self.scope):
            if self.stages[name].status is StageStatus.ROLLED_BACK:
                reasons[name] = f"already undone by rollback {self.stages[name].rolled_back_by}"
        if self.target and not self.stages[self.target].started:
            reasons[self.target] = DID_NOT_RUN
        return reasons

    def _irreversible(self) -> Iterator[str]:
        for name in self.scope:
            undo = self.undos[name]
            if undo is not None and undo.irreversible:
                yield name

    def _warnings(self) -> Iterator[str]:
        for (name, part), reason in self.stuck.items():
            yield f"stage '{part_name(name, part)}' ran and has nothing to go back to: {reason}"
        lost = {name for name, _ in self.stuck}
        for name in self.scope:
            undo = self.undos[name]
            if undo is None and name not in lost:
                yield f"stage '{name}' ran and has nothing to undo it"
            elif undo is not None and undo.irreversible:
                yield f"stage '{name}' is irreversible: its effects cannot be taken back"
        for name in self.scope:
            if self.stages[name].status in _UNDER_WAY:
                yield f"stage '{name}' still runs and will be cancelled first"
        if self.hindrance:
            yield self.hindrance

    @cached_property
    def hindrance(self) -> str:
        """The first stage that would stay although it depends on what is undone; "" for none."""
        staying = [
            name
            for name in self.asked_for
            if not self.parts[name] and self.declared[name] and not self.undone.get(name)
        ]
        pairs = left_dependants(self.defined, self.graph, self.scope, staying)
        told = (f"Stage '{a}' depends on '{b}', and would stay as it is" for a, b in pairs)
        return next(told, "")

    def _refusal(self) -> str:
        """Why the plan cannot be carried out; "" when it can."""
        target = self.target
        if target in self.staying and self.stages[target].status is not StageStatus.ROLLED_BACK:
            return f"Stage '{target}' {self.staying[target]}"
        if target in self.undos and all(step.stage_name != target for step in self.steps):
            reasons = [reason for (name, _), reason in self.stuck.items() if name == target]
            if reasons and self.undos[target] is None:
                return f"Stage '{target}' has nothing to go back to: {reasons[0]}"
            return f"Stage '{target}' has nothing to undo it"
        if self.steps:
            return ""
        if not target:
            return "Nothing to roll back: no stage that ran has a step left to undo"
        reason = "has no step left to undo" if self.stages[target].started else "did not run"
        return f"Nothing to roll back: stage '{target}' {reason}"

    def _hash(self) -> str:
        undos = {step.part: _HASHED(step) for step in self.steps}
        names = sorted({*self.scope, *undos})
        content = (self.target, self.components, [(name, undos.get(name)) for name in names])
        return sha256(repr(content).encode()).hexdigest()


def _stays(undo: Undo | None) -> bool:
    """Whether it is said that the effects cannot be taken back, and nothing is to be done."""
    return undo is not None and undo.irreversible and not undo.task
