"""What the rollback dialog offers and preselects, and how it words the plan."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrate_tui.console.changes import change_lines
from orchestrate_tui.console.marks import ARROW, Tone
from orchestrate_tui.console.text import visible
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.rollback import is_in_scope, is_undone_as_target, possible_targets
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.console.run_picture import RunPicture

PROGRAM = "orchestrate-tui"
MOST_STEPS = 10
"""In the question at the end; with its buttons they fit in 24 lines."""


@dataclass(frozen=True)
class RollbackChoice:
    """The stages that a rollback of one run can go from and to, and what of them it can be for.

    `undone` are the components of stages that were undone before.
    """

    picture: RunPicture
    undone: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def graph(self) -> StageGraph:
        """The run's graph."""
        return StageGraph.of(self.picture.pipeline.stages)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The stages to roll back from: those with effects left, the latest in the file first."""
        stages = reversed(self.picture.stages)
        return tuple(
            stage.stage_name
            for stage in stages
            if (is_in_scope(stage) or stage.status is StageStatus.REJECTED)
            and self.targets(stage.stage_name)
        )

    def targets(self, source: str) -> tuple[str, ...]:
        """The stages to go back to, the nearest first."""
        picture = self.picture
        found = possible_targets(picture.pipeline, self.graph, picture.by_name, source)
        return tuple(reversed([name for name in found if self._is_left(name)]))

    @cached_property
    def components(self) -> tuple[str, ...]:
        """The components of what has effects left, in the order of the file."""
        stages = [one for one in self.picture.pipeline.stages if self._is_left(one.name)]
        return tuple(dict.fromkeys(name for stage in stages for name in stage.components))

    def _is_left(self, name: str) -> bool:
        return is_in_scope(self.picture.by_name[name])

    def likely_source(self, wished: str | None) -> str | None:
        """The stage that went wrong, else `wished`, else the last one from which a way leads back.

        Failures that the pipeline allows did not go wrong. None when there are no sources.
        """
        wrong = [name for name in self.sources if self.picture.went_wrong(name)]
        ways = [name for name in self.sources if any(map(self.can_be_undone, self.targets(name)))]
        preferred = (
            [name for name in wrong if name == wished],
            [name for name in wrong if name in ways],
            [name for name in ways if name == wished],
            ways,
            self.sources,
        )
        return next((name for names in preferred for name in names), None)

    def likely_target(self, source: str) -> str | None:
        """What the file says, else the nearest stage that can be undone, else the nearest."""
        targets = self.targets(source)
        declared = self.picture.defined[source].rollback_target
        if declared in targets:
            return declared
        undoable = [name for name in targets if self.can_be_undone(name)]
        return next(iter((*undoable, *targets)), None)

    def can_be_undone(self, name: str) -> bool:
        """Whether something undoes a stage when it is the target."""
        picture = self.picture
        return is_undone_as_target(
            picture.pipeline, picture.defined[name], simulated=picture.run.simulated
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRequest:
    """What the operator put together so far.

    `components` () means all; without `cascade` the target alone is undone.
    `release` "" means the one before, `definition`, the path of a file, "" that of the run.
    `named_database` None means the one that commands use when they name none.
    """

    run_id: int
    source: str
    target: str
    reason: str = ""
    accepts_irreversible: bool = False
    is_forced: bool = False
    is_retry: bool = False
    release: str = ""
    definition: str = ""
    components: tuple[str, ...] = ()
    cascade: bool = True
    named_database: Path | None = None

    def demand(self, plan_hash: str = "") -> RollbackDemand:
        """What the executor is asked; with the hash of the plan that was shown, if one was."""
        return RollbackDemand(
            from_stage=self.source,
            to_stage=self.target,
            reason=self.reason,
            plan_hash=plan_hash,
            accept_irreversible=self.accepts_irreversible,
            retry=self.is_retry,
            force=self.is_forced,
            waits=True,
            release=self.release,
            components=self.components,
            cascade=self.cascade,
        )

    @property
    def command(self) -> str:
        """The command that does the same."""
        words = [PROGRAM, "rollback", str(self.run_id), "--from", self.source, "--to", self.target]
        for name in self.components:
            words += ["--component", name]
        words += ["--no-cascade"] * (not self.cascade)
        words += ["--reason", self.reason or "…"]
        words += ["--retry"] * self.is_retry + ["--accept-irreversible"] * self.accepts_irreversible
        words += ["--force"] * self.is_forced
        words += ["--release", self.release] if self.release else []
        words += ["--definition", self.definition] if self.definition else []
        words += ["--db", str(self.named_database)] if self.named_database else []
        return visible(shlex.join(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What keeps a plan from being carried out; `place` is the field that it is about, or ""."""

    place: str
    sentence: str


def missing(plan: RollbackPlan | None, request: RollbackRequest) -> Lack | None:
    """What is missing first; None when the plan can be carried out as it was asked for."""
    if not request.reason:
        return Lack(place="#reason", sentence="A rollback needs a reason")
    if plan is None:
        return Lack(place="", sentence="There is no plan")
    if plan.refusal:
        return Lack(place="#targets", sentence=visible(plan.refusal))
    if plan.irreversible and not request.accepts_irreversible:
        return Lack(place="#accept", sentence="Tick with Space that some of it stays as it is")
    if plan.must_be_forced and not request.is_forced:
        return Lack(place="#force", sentence="Tick with Space that it is undone all the same")
    return None


PlanLine = tuple[str, Tone | None]
"""A line that is safe to show, and its tone (None: plain)."""


def plan_lines(plan: RollbackPlan) -> Iterator[PlanLine]:
    """The plan in the order in which it is carried out, then what it leaves out and warns of."""
    if plan.refusal:
        yield f"✗ {visible(plan.refusal)}", Tone.BAD
    for difference in plan.differences:
        yield f"±  {visible(difference)}", Tone.ATTENTION
    for number, (step, heading) in enumerate(zip(plan.steps, plan.headings, strict=True), 1):
        if heading:
            yield visible(heading), Tone.ACTIVE
        yield from _step_lines(number, step)
    for skip in plan.told_skips:
        yield visible(f"-  {skip.part}  {skip.reason}"), Tone.QUIET
    for warning in plan.warnings:
        yield f"!  {visible(warning)}", Tone.ATTENTION


def _step_lines(number: int, step: PlanStep) -> Iterator[PlanLine]:
    told = f"  {step.agent}: {step.task}" if step.task else ""
    yield visible(f"{number}. {step.part}{told}"), None
    if step.release is not None:
        version = step.from_version or "no version"
        before = step.to_version or f"release {step.release}"
        yield visible(f"   {version} {ARROW} {before}"), None
    if step.restores:
        yield visible(f"   restores {', '.join(step.restores)}"), None
        for line in change_lines(step):
            yield visible(f"     {line}"), Tone.QUIET


def although(plan: RollbackPlan) -> str:
    """What is accepted where a plan has to be forced."""
    is_hindered = bool(plan.hindrance) and not plan.newer and not plan.overwrites
    why = "what depends on it stays" if is_hindered else "others worked there since"
    return f"Undo it although {why}"


def question_lines(plan: RollbackPlan, request: RollbackRequest) -> Iterator[PlanLine]:
    """What is said of a plan in the question at the end."""
    count = len(plan.steps)
    yield f"Undo {count} step{'s' * (count != 1)} of run #{request.run_id}:", None
    told = list(zip(plan.steps, plan.headings, strict=True))
    for number, (step, heading) in enumerate(told[:MOST_STEPS], 1):
        if heading:
            yield visible(heading), Tone.ACTIVE
        yield visible(f"  {number}. {step.part}"), None
    if count > MOST_STEPS:
        yield f"  … and {count - MOST_STEPS} more", None
    yield visible(f"Reason: {request.reason}"), None
