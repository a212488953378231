"""How each status looks: a glyph of one cell, a tone for its colour, and a word.

The glyphs of one kind differ, so that a status can be read without colours.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrate_tui.domain.readiness import Light
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus, StepStatus
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.events import RollbackEvent
    from orchestrate_tui.domain.release import Release
    from orchestrate_tui.domain.run import StageRun


class Tone(StrEnum):
    """What a colour says; each is a component class `tone--…`."""

    QUIET = "quiet"
    """Nothing happened or will happen."""
    ACTIVE = "active"
    """Work is under way."""
    ATTENTION = "attention"
    """Somebody has to decide."""
    GOOD = "good"
    """It ended well."""
    BAD = "bad"
    """It ended badly."""
    UNDONE = "undone"
    """It was taken back."""


SPINNER = "◐◓◑◒"
ARROW = "→"
UNDONE_GLYPH = "↶"


@dataclass(frozen=True, slots=True)
class Mark:
    """One status as it is shown; `moves` asks for the spinner instead of the glyph."""

    glyph: str
    tone: Tone
    word: str
    moves: bool = False

    def frame(self, tick: int) -> str:
        """The glyph at one moment of the animation."""
        return SPINNER[tick % len(SPINNER)] if self.moves else self.glyph


ALLOWED_FAILURE = Mark("!", Tone.ATTENTION, "failed (allowed)")
BEING_UNDONE = Mark("◐", Tone.ACTIVE, "being undone", moves=True)
HELD = Mark("◌", Tone.ATTENTION, "waits")
WAITING_FOR_OPERATOR = Mark("◇", Tone.ATTENTION, "waits for you")

_STAGES = {
    StageStatus.PENDING: Mark("○", Tone.QUIET, "pending"),
    StageStatus.WAITING_APPROVAL: Mark("◇", Tone.ATTENTION, "waits for approval"),
    StageStatus.RUNNING: Mark("◐", Tone.ACTIVE, "running", moves=True),
    StageStatus.RETRYING: Mark("↻", Tone.ACTIVE, "retrying"),
    StageStatus.SUCCEEDED: Mark("✓", Tone.GOOD, "succeeded"),
    StageStatus.FAILED: Mark("✗", Tone.BAD, "failed"),
    StageStatus.REJECTED: Mark("⊘", Tone.BAD, "rejected"),
    StageStatus.SKIPPED: Mark("»", Tone.QUIET, "skipped"),
    StageStatus.CANCELLED: Mark("■", Tone.ATTENTION, "cancelled"),
    StageStatus.INTERRUPTED: Mark("?", Tone.ATTENTION, "interrupted"),
    StageStatus.ROLLED_BACK: Mark(UNDONE_GLYPH, Tone.UNDONE, "rolled back"),
}
_RUNS = {
    RunStatus.PENDING: Mark("○", Tone.QUIET, "pending"),
    RunStatus.RUNNING: Mark("◐", Tone.ACTIVE, "running", moves=True),
    RunStatus.SUCCEEDED: Mark("✓", Tone.GOOD, "succeeded"),
    RunStatus.FAILED: Mark("✗", Tone.BAD, "failed"),
    RunStatus.CANCELLED: Mark("■", Tone.ATTENTION, "cancelled"),
    RunStatus.INTERRUPTED: Mark("?", Tone.ATTENTION, "interrupted"),
}
_ROLLBACKS = {
    RollbackStatus.PENDING: Mark("○", Tone.QUIET, "pending"),
    RollbackStatus.RUNNING: Mark("◐", Tone.ACTIVE, "running", moves=True),
    RollbackStatus.SUCCEEDED: Mark("✓", Tone.GOOD, "succeeded"),
    RollbackStatus.FAILED: Mark("✗", Tone.BAD, "failed"),
}
_STEPS = {
    StepStatus.PENDING: Mark("○", Tone.QUIET, "pending"),
    StepStatus.RUNNING: Mark("◐", Tone.ACTIVE, "running", moves=True),
    StepStatus.SUCCEEDED: Mark("✓", Tone.GOOD, "undone"),
    StepStatus.FAILED: Mark("✗", Tone.BAD, "failed"),
    StepStatus.INTERRUPTED: Mark("?", Tone.ATTENTION, "interrupted"),
    StepStatus.RETRYING: Mark("↻", Tone.ACTIVE, "to be tried again"),
    StepStatus.SKIPPED: Mark("»", Tone.ATTENTION, "passed over"),
    StepStatus.DONE: Mark("•", Tone.GOOD, "said to be undone"),
}
_LIGHTS = {
    Light.READY: Mark("●", Tone.GOOD, "ready"),
    Light.DOUBTFUL: Mark("◐", Tone.ATTENTION, "doubtful"),
    Light.NOT_READY: Mark("○", Tone.BAD, "not ready"),
    Light.IDLE: Mark("·", Tone.QUIET, "nothing to undo"),
}
GOLDEN = Mark("★", Tone.ATTENTION, "golden")
QUARANTINED = Mark("⊘", Tone.BAD, "quarantined")
_UNDONE_RELEASE = Mark(UNDONE_GLYPH, Tone.UNDONE, "undone")
_PRESENT_RELEASE = Mark("●", Tone.GOOD, "current")
_EARLIER_RELEASE = Mark("○", Tone.QUIET, "earlier")


def mark_of(stage: StageRun, *, may_fail: bool = False) -> Mark:
    """The mark of a stage as it stands, which may be that somebody has its environment."""
    return HELD if stage.is_held else stage_mark(stage.status, may_fail=may_fail)


def stage_mark(status: StageStatus, *, may_fail: bool = False) -> Mark:
    """The mark of a status; `may_fail` when the pipeline goes on after a failure."""
    if may_fail and status is StageStatus.FAILED:
        return ALLOWED_FAILURE
    return _STAGES[status]


def run_mark(status: RunStatus) -> Mark:
    """The mark of a run."""
    return _RUNS[status]


def rollback_mark(event: RollbackEvent) -> Mark:
    """The mark of a rollback."""
    if event.is_left:
        return _RUNS[RunStatus.INTERRUPTED]
    if event.status is RollbackStatus.RUNNING and event.waiting_since is not None:
        return WAITING_FOR_OPERATOR
    return _ROLLBACKS[event.status]


def release_mark(release: Release) -> Mark:
    """The mark of a release; whether it is golden is told beside it."""
    if release.quarantine is not None:
        return QUARANTINED
    if release.undone_by is not None:
        return _UNDONE_RELEASE
    return _PRESENT_RELEASE if release.is_current else _EARLIER_RELEASE


def light_mark(light: Light) -> Mark:
    """The mark of how a stage stands should it have to be undone."""
    return _LIGHTS[light]


def step_mark(status: StepStatus) -> Mark:
    """The mark of a step of a rollback."""
    return _STEPS[status]
