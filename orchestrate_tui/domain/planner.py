"""The rollback planner: how what a rollback reaches is undone, and what stands in the way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from orchestrate_tui.domain.components import left_dependants, part_name
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Pipeline, Stage, Undo
from orchestrate_tui.domain.release import Succession, lacking, needs, needs_of
from orchestrate_tui.domain.rollback import (
    DID_NOT_RUN,
    IRREVERSIBLE,
    NOTHING_TO_UNDO,
    PRUNED,
    undo_of,
)
from orchestrate_tui.domain.rollback_plan import PlanSkip, PlanStep, RollbackPlan
from orchestrate_tui.domain.rollback_reach import WHOLE, Reach
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.values import dataclass

_HASHED = attrgetter(
    "stage_name", "component", "agent", "task", "restores", "irreversible", "release"
)
_NO_RELEASES: Mapping[str, Succession] = MappingProxyType({})
_NOTHING_UNDONE: Mapping[str, frozenset[str]] = MappingProxyType({})
_NO_SNAPSHOTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NO_STARTS: Mapping[str, int] = MappingProxyType({})
_NOTHING_BROUGHT = Succession()
_RESTORE = Undo(task="", agent="", idempotent=True)
_UNDER_WAY = frozenset({StageStatus.RUNNING, StageStatus.RETRYING})


class _Odd(NamedTuple):
    """A stage in scope, or a component of it, that a plan has more to say of than its step.

    `undo` None means that nothing undoes it. `why_stuck` says why it is not undone as it is
    declared, "" if it is.
    """

    stage_name: str
    component: str | None
    undo: Undo | None
    why_stuck: str

    @property
    def name(self) -> str:
        return part_name(self.stage_name, self.component)


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
class _Draft(Reach):
    """A plan in the making: each part of it follows from what was given and the parts above it."""

    simulated: bool
    releases: Mapping[str, Succession]
    snapshots: Mapping[str, tuple[str, ...]]
    pruned: Collection[str]

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
            irreversible=tuple(self.irreversible),
            scope=self.scope,
            refusal=self._refusal(),
            hindrance=self.hindrance,
            hash=self._hash(),
        )

    # How it is undone

    @property
    def steps(self) -> tuple[PlanStep, ...]:
        """What is done, in order."""
        return self.drawn[0]

    @property
    def odd(self) -> tuple[_Odd, ...]:
        """What is not undone as it is declared, or of which the operator has to know."""
        return self.drawn[1]

    @cached_property
    def drawn(self) -> tuple[tuple[PlanStep, ...], tuple[_Odd, ...]]:
        """The steps, in order, and the parts that are odd; what is only kept is put back."""
        steps: list[PlanStep] = []
        odd: list[_Odd] = []
        defined, parts, has_agent = self.defined, self.parts, self.has_agent
        for name in self.scope:
            stage = defined[name]
            declared = undo_of(stage, self.target or name, has_rollback_agent=has_agent)
            for component in parts.get(name, WHOLE):
                part = part_name(name, component)
                why_stuck = self._why_stuck(stage, part, declared)
                undo = None if why_stuck else declared
                if undo is None and self.snapshots.get(part):
                    undo = _RESTORE
                if undo is not None and not _stays(undo):
                    steps.append(self._step(stage, component, part, undo))
                if undo is None or undo.irreversible or why_stuck:
                    odd.append(_Odd(name, component, undo, why_stuck))
        return tuple(steps), tuple(odd)

    @cached_property
    def has_agent(self) -> bool:
        """Whether the rollback agent undoes the target."""
        return self.simulated or self.pipeline.agent(ROLLBACK_AGENT) is not None

    @cached_property
    def needed(self) -> dict[str, tuple[str, ...]]:
        """What the texts of those agents need of an earlier release that need something."""
        found = {agent.name: needs_of(agent) for agent in self.pipeline.agents}
        return {name: keys for name, keys in found.items() if keys}

    def _declared(self, stage: Stage) -> Undo | None:
        """How a stage is undone, if all that needs is there."""
        return undo_of(stage, self.target or stage.name, has_rollback_agent=self.has_agent)

    def _why_stuck(self, stage: Stage, part: str, undo: Undo | None) -> str:
        """Why a part cannot be undone as it is declared; "" if it can."""
        if self.simulated:
            return ""
        if part in self.pruned and stage.snapshot is not None and stage.snapshot.paths:
            return PRUNED
        if undo is None or not undo.task:
            return ""
        keys = needs(undo.task)
        if self.needed:
            keys += self.needed.get(undo.agent or stage.agent, ())
        return lacking(keys, self.releases.get(part, _NOTHING_BROUGHT)) if keys else ""

    def _step(self, stage: Stage, component: str | None, part: str, undo: Undo) -> PlanStep:
        succession = self.releases.get(part, _NOTHING_BROUGHT)
        earlier = succession.earlier
        return PlanStep(
            stage_name=stage.name,
            agent=stage.agent if undo.agent is None else undo.agent,
            task=undo.task,
            restores=self.snapshots.get(part, ()),
            irreversible=undo.irreversible,
            idempotent=undo.idempotent,
            from_version=succession.version,
            to_version=earlier.version if earlier else "",
            release=earlier.id if earlier else None,
            component=component,
            environment=stage.environment,
        )

    # What is not undone, and what the operator has to know

    @cached_property
    def skipped(self) -> tuple[PlanSkip, ...]:
        """What belongs to the rollback but has no step, in the order in which it ran."""
        found = [PlanSkip(stage_name=name, reason=why) for name, why in self._unneeded().items()]
        found += (
            PlanSkip(
                stage_name=part.stage_name,
                component=part.component,
                reason=part.why_stuck,
                is_stuck=True,
            )
            for part in self.odd
            if part.why_stuck and part.undo is None
        )
        return tuple(sorted(found, key=lambda skip: self.stages[skip.stage_name].position))

    def _unneeded(self) -> dict[str, str]:
        """The stages that have no step although nothing is missing, and why."""
        reasons = dict.fromkeys(self.bare, NOTHING_TO_UNDO)
        reasons |= {part.stage_name: IRREVERSIBLE for part in self.odd if _stays(part.undo)}
        reasons |= self.staying
        named = self.closure if self.cascade else frozenset((self.target,))
        for name in named.difference(self.scope):
            if self.stages[name].status is StageStatus.ROLLED_BACK:
                reasons[name] = f"already undone by rollback {self.stages[name].rolled_back_by}"
        if self.target and not self.stages[self.target].started:
            reasons[self.target] = DID_NOT_RUN
        return reasons

    @cached_property
    def bare(self) -> dict[str, None]:
        """The stages in scope that nothing undoes although nothing is missing, in order."""
        found = {part.stage_name: None for part in self.odd if part.undo is None}
        if found:
            helped = {step.stage_name for step in self.steps}
            helped |= {part.stage_name for part in self.odd if part.why_stuck or part.undo}
            found = {name: None for name in found if name not in helped}
        return found

    @cached_property
    def irreversible(self) -> dict[str, None]:
        """The stages in scope whose effects cannot be taken back, in order."""
        return {part.stage_name: None for part in self.odd if part.undo and part.undo.irreversible}

    def _warnings(self) -> Iterator[str]:
        for part in self.odd:
            if part.why_stuck:
                yield f"stage '{part.name}' ran and has nothing to go back to: {part.why_stuck}"
        for name in dict.fromkeys(part.stage_name for part in self.odd):
            if name in self.bare:
                yield f"stage '{name}' ran and has nothing to undo it"
            elif name in self.irreversible:
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
            for name, parts in self.parts.items()
            if not parts and self._declared(self.defined[name]) and not self.undone.get(name)
        ]
        pairs = left_dependants(self.defined, self.graph, self.scope, staying)
        told = (f"Stage '{a}' depends on '{b}', and would stay as it is" for a, b in pairs)
        return next(told, "")

    def _refusal(self) -> str:
        """Why the plan cannot be carried out; "" when it can."""
        target = self.target
        if target in self.staying and self.stages[target].status is not StageStatus.ROLLED_BACK:
            return f"Stage '{target}' {self.staying[target]}"
        if target in self.scope and all(step.stage_name != target for step in self.steps):
            own = [part for part in self.odd if part.stage_name == target]
            reasons = [part.why_stuck for part in own if part.why_stuck]
            if reasons and not any(part.undo for part in own):
                return f"Stage '{target}' has nothing to go back to: {reasons[0]}"
            return f"Stage '{target}' has nothing to undo it"
        if self.steps:
            return ""
        if not target:
            return "Nothing to roll back: no stage that ran has a step left to undo"
        reason = "has no step left to undo" if self.stages[target].started else "did not run"
        return f"Nothing to roll back: stage '{target}' {reason}"

    def _hash(self) -> str:
        position = self.graph.position
        steps = sorted(self.steps, key=lambda step: position[step.stage_name])
        idle = sorted(part.name for part in self.odd if part.undo is None or _stays(part.undo))
        content = (repr((self.target, self.components, idle)), *map(repr, map(_HASHED, steps)))
        return sha256("".join(content).encode()).hexdigest()


def _stays(undo: Undo | None) -> bool:
    """Whether it is said that the effects cannot be taken back, and nothing is to be done."""
    return undo is not None and not undo.task and undo.irreversible
