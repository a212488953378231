"""What a box of the graph says about its stage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from orchestrate_tui.console.durations import NARROW, elapsed_s, short_duration
from orchestrate_tui.console.marks import BEING_UNDONE, Mark, mark_of
from orchestrate_tui.console.text import shortened, visible
from orchestrate_tui.domain.pipeline import OnFailure, Pipeline
from orchestrate_tui.domain.run import Run, StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.values import dataclass

LONGEST_NAME = 24
"""Cells that a name takes in a box at most."""

UNDER_WAY = frozenset({StageStatus.RUNNING, StageStatus.RETRYING})
COUNTING = UNDER_WAY | {StageStatus.WAITING_APPROVAL}
"""Stages whose shown time goes on."""


@dataclass(frozen=True, slots=True)
class StageLabel:
    """The mark, the shown name and the elapsed time (in `NARROW` cells, "" before the start)."""

    mark: Mark
    name: str
    elapsed: str


def shown_name(name: str) -> str:
    """A stage's name as a box has room for it."""
    return shortened(visible(name), LONGEST_NAME)


def label_of(
    stage: StageRun, *, may_fail: bool, now: datetime, is_being_undone: bool = False
) -> StageLabel:
    """The label of one stage at one moment."""
    seconds = stage_seconds(stage, now)
    elapsed = "" if seconds is None else short_duration(seconds).rjust(NARROW)
    mark = BEING_UNDONE if is_being_undone else mark_of(stage, may_fail=may_fail)
    return StageLabel(mark, shown_name(stage.stage_name), elapsed)


def stage_seconds(stage: StageRun, now: datetime) -> float | None:
    """How long a stage took, runs or waits for its approval; None when it did none of these."""
    if stage.status is StageStatus.WAITING_APPROVAL:
        return elapsed_s(stage.requested_at, None, now)
    if stage.status in UNDER_WAY:
        return elapsed_s(stage.started_at, None, now)
    return elapsed_s(stage.started_at, stage.completed_at, now) if stage.completed_at else None


def allowed_to_fail(pipeline: Pipeline) -> Mapping[str, bool]:
    """For every stage whether the pipeline goes on after its failure."""
    return {stage.name: stage.on_failure is OnFailure.CONTINUE for stage in pipeline.stages}


def without_output(stage: StageRun, run: Run) -> str:
    """What stands in the place of an empty log."""
    if run.pruned_at is not None and stage.started:
        return "What it wrote was pruned"
    if stage.status in UNDER_WAY:
        return "No output yet"
    return "It wrote nothing" if stage.started else "This stage has not run"
