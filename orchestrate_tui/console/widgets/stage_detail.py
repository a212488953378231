"""What is known of the chosen stage: how it stands, since when, by whom, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from textual.content import Content

from orchestrate_tui.console.durations import duration
from orchestrate_tui.console.marks import BEING_UNDONE, Tone, mark_of
from orchestrate_tui.console.run_picture import RunPicture
from orchestrate_tui.console.stage_label import stage_seconds
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.console.widgets.told_line import ToldLine
from orchestrate_tui.domain.pipeline import OnFailure, Stage
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus


class StageDetail(ToldLine):
    """One or two lines about the chosen stage."""

    DEFAULT_CSS = """
    StageDetail { height: auto; max-height: 2; padding: 0 1; }
    """

    def show(
        self,
        picture: RunPicture | None,
        stage_name: str | None,
        now: datetime,
        *,
        logged: int = 0,
    ) -> None:
        """Tell how a stage stands; `logged` is the older attempt whose log is shown, 0 for none."""
        stage = picture.by_name.get(stage_name or "") if picture else None
        if picture is None or stage is None:
            self.tell(Content())
            return
        self.tell(joined(_facts(picture, stage, now, logged)))


def _facts(picture: RunPicture, stage: StageRun, now: datetime, logged: int) -> Iterator[Content]:
    defined = picture.defined[stage.stage_name]
    mark = mark_of(stage, may_fail=defined.on_failure is OnFailure.CONTINUE)
    if stage.stage_name in picture.undoing:
        mark = BEING_UNDONE
    seconds = stage_seconds(stage, now)
    yield Content.styled(plain(stage.stage_name).plain, "bold")
    yield toned(f"{mark.glyph} {mark.word}", mark.tone)
    yield plain("" if seconds is None else duration(seconds))
    if stage.attempt > 1 or defined.retry.attempts > 1:
        yield plain(f"attempt {stage.attempt} of {defined.retry.attempts}")
    if logged:
        yield toned(f"log of attempt {logged} [3 End: the last one]", Tone.ATTENTION)
    if stage.exit_code and not stage.reason:
        yield toned(f"exit {stage.exit_code}", Tone.BAD)
    yield toned(f"agent {stage.agent}", Tone.QUIET)
    if stage.environment:
        yield toned(f"in {stage.environment}", Tone.QUIET)
    if stage.status is StageStatus.WAITING_APPROVAL:
        yield toned(approval_state(picture, defined), Tone.ATTENTION)
    yield toned(stage.waits_for if stage.is_held else stage.reason, mark.tone)


def approval_state(picture: RunPicture, stage: Stage) -> str:
    """How many approvals a stage has, and whose are missing; "" when it needs none."""
    if stage.approval is None:
        return ""
    given = {record.entry for record in picture.decisions_on(stage.name)}
    missing = [entry for entry in stage.approval.approvers if entry not in given]
    return f"{len(given)} of {stage.approval.needed} approved, missing: {', '.join(missing)}"
