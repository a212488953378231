"""Whether the stages of a pipeline, or of one of its runs, could be undone now."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Pipeline, Stage
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.release import Succession


class Light(StrEnum):
    """How a stage stands should it have to be undone."""

    READY = "ready"
    """Everything that its undo needs is there."""
    DOUBTFUL = "doubtful"
    """It can be undone in part, or only as the target of a rollback."""
    NOT_READY = "not ready"
    """It cannot be undone."""
    IDLE = "idle"
    """There is nothing to undo: it did not run, or was undone."""


class SnapshotState(StrEnum):
    """What is there of what was to be kept before a stage."""

    NOT_ASKED = "not asked for"
    """The stage names nothing to keep."""
    NOT_YET = "not taken yet"
    """The stage has not started."""
    INTACT = "intact"
    """All of it is there, with the hashes that it had."""
    MISSING = "missing"
    """There is no snapshot although the stage started."""
    DAMAGED = "damaged"
    """Some of it is not there any more, or is something else."""
    PRUNED = "pruned"
    """It was let go of, because no possible rollback needed it."""


BAD_SNAPSHOTS = frozenset({SnapshotState.MISSING, SnapshotState.DAMAGED, SnapshotState.PRUNED})
"""With these the stage cannot be put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a stage could be undone: `problems` says what is missing, a sentence each.

    `agent` is who would undo it, "" for nobody; `is_agent_known` None where none is needed.
    `release` is the one that would be returned to, None without one.
    """

    stage_name: str
    light: Light
    is_undo_defined: bool
    agent: str = ""
    is_agent_known: bool | None = None
    snapshot: SnapshotState = SnapshotState.NOT_ASKED
    release: int | None = None
    problems: tuple[str, ...] = ()


def readiness(
    pipeline: Pipeline,
    stage: Stage,
    run: StageRun | None = None,
    *,
    succession: Succession | None = None,
    snapshot: SnapshotState = SnapshotState.NOT_ASKED,
    in_use: str = "",
) -> Readiness:
    """How a stage stands in a run, or (None) before any.

    Without a `succession` it is not asked whether there is an earlier release. `in_use` is the
    sentence that says who has open what would be put back, "" for nobody.
    """
    from orchestrate_tui.domain.release import lacks  # noqa: PLC0415  (not for Light alone)
    from orchestrate_tui.domain.rollback import undo_of  # noqa: PLC0415

    has_agent = pipeline.agent(ROLLBACK_AGENT) is not None
    undo = undo_of(stage, stage.name, has_rollback_agent=has_agent)
    name = (undo.agent or stage.agent) if undo and undo.task else ""
    agent = pipeline.agent(name)
    restores = snapshot in {SnapshotState.INTACT, SnapshotState.NOT_YET}
    problems: list[str] = []
    doubts: list[str] = []
    if undo is None and not restores:
        problems.append("nothing undoes it")
    if name and agent is None:
        problems.append(f"agent '{name}', which would undo it, is not defined")
    if undo is not None and succession is not None and (why := lacks(undo, agent, succession)):
        (doubts if restores else problems).append(f"nothing to go back to: {why}")
    if snapshot in BAD_SNAPSHOTS:
        problems.append(f"its snapshot is {snapshot}")
    if in_use:
        problems.append(in_use)
    if undo is not None and undo.irreversible:
        doubts.append("its effects cannot be taken back")
    if undo is not None and stage.rollback is None:
        doubts.append(f"{ROLLBACK_AGENT} undoes it, but only as the target of a rollback")
    light = Light.NOT_READY if problems else Light.DOUBTFUL if doubts else Light.READY
    idle = _idle(run)
    return Readiness(
        stage_name=stage.name,
        light=Light.IDLE if idle else light,
        is_undo_defined=undo is not None and bool(undo.task),
        agent=name,
        is_agent_known=agent is not None if name else None,
        snapshot=snapshot,
        release=succession.earlier.id if succession and succession.earlier else None,
        problems=(idle,) if idle else (*problems, *doubts),
    )


def _idle(run: StageRun | None) -> str:
    """Why there is nothing to undo; "" when there is, or may be."""
    if run is None:
        return ""
    if run.status is StageStatus.ROLLED_BACK:
        return f"undone by rollback {run.rolled_back_by}"
    return "" if run.started else "it did not run"


def at_stake(pipeline: Pipeline) -> frozenset[str]:
    """The stages of which it matters whether they could be undone.

    They say how, keep something, change an environment, or are the target of a rollback.
    """
    targets = {stage.rollback_target for stage in pipeline.stages}
    return frozenset(
        stage.name
        for stage in pipeline.stages
        if stage.rollback or stage.snapshot or stage.environment or stage.name in targets
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a pipeline can be undone, in the order of its file.

    `exposed` are stages that can not, although they change an environment or are the target of
    a rollback. A check of an environment, which goes back to the stage that changed it, is none.
    """

    stages: int
    undoable: tuple[str, ...]
    exposed: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """How much can be undone; "" of a pipeline that changes nothing out there."""
        if not self.undoable and not self.exposed:
            return ""
        of = f"{len(self.undoable)} of {self.stages} stage{'s' * (self.stages != 1)}"
        verb = "has" if len(self.exposed) == 1 else "have"
        rest = f"; {_listed(self.exposed)} {verb} nothing to go back to" if self.exposed else ""
        return f"{of} can be undone{rest}"


def coverage(pipeline: Pipeline) -> Coverage:
    """How much of a pipeline can be undone, as far as its file says.

    A stage that `rollback-agent` undoes counts only if some stage rolls back to it.
    """
    targets = {stage.rollback_target for stage in pipeline.stages}
    able = tuple(stage.name for stage in pipeline.stages if _is_undone(pipeline, stage, targets))
    return Coverage(
        stages=len(pipeline.stages),
        undoable=able,
        exposed=tuple(
            stage.name
            for stage in pipeline.stages
            if stage.name not in able and (_changes(stage) or stage.name in targets)
        ),
    )


def _changes(stage: Stage) -> bool:
    """Whether it has an environment and does not only check what another stage did there."""
    return bool(stage.environment) and stage.rollback_target in {None, stage.name}


def _is_undone(pipeline: Pipeline, stage: Stage, targets: set[str | None]) -> bool:
    keeps = stage.snapshot is not None and bool(stage.snapshot.paths)
    kept = SnapshotState.NOT_YET if keeps else SnapshotState.NOT_ASKED
    found = readiness(pipeline, stage, snapshot=kept)
    if found.light is Light.DOUBTFUL:
        by_rule = stage.rollback is None and stage.name in targets
        return by_rule or (stage.rollback is not None and not stage.rollback.irreversible)
    return found.light is Light.READY


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
