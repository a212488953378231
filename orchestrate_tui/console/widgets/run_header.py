"""The line at the top: which run is shown, how it stands, and what this console may do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from orchestrate_tui.console.durations import duration, elapsed_s
from orchestrate_tui.console.last_rehearsed import last_rehearsed
from orchestrate_tui.console.marks import UNDONE_GLYPH, Tone, rollback_mark, run_mark
from orchestrate_tui.console.run_picture import RunPicture
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.console.widgets.told_line import ToldLine
from orchestrate_tui.domain.events import RollbackEvent

if TYPE_CHECKING:
    from orchestrate_tui.domain.notification import Notification


class RunHeader(ToldLine):
    """One line about the chosen run."""

    DEFAULT_CSS = """
    RunHeader {
        height: 1;
        padding: 0 1;
        background: $panel;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def show(self, picture: RunPicture | None, *, now: datetime, is_read_only: bool) -> None:
        """Tell how the run stands."""
        read_only = Content.styled(" READ-ONLY ", "reverse") if is_read_only else Content()
        parts = [_about(picture, now)] if picture else [Content("no run")]
        self.tell(joined([Content.styled("Orchestrate", "bold"), read_only, *parts]))


def _about(picture: RunPicture, now: datetime) -> Content:
    run = picture.run
    mark = run_mark(run.status)
    seconds = elapsed_s(run.started_at, run.completed_at, now)
    return joined(
        [
            Content.styled(f"#{run.id}", "bold"),
            plain(run.pipeline),
            toned(f"{mark.glyph} {mark.word}", mark.tone),
            toned(f"seen by {run.acknowledged_by}" if run.acknowledged_by else "", Tone.QUIET),
            plain("" if seconds is None else duration(seconds)),
            _rollback(picture.last_rollback),
            told(picture.notifications),
            toned("~simulated" if run.simulated else "", Tone.ATTENTION),
            plain(f"on {run.trigger.branch}" if run.trigger.branch else ""),
            toned(run.reason, Tone.QUIET),
            toned(f"by {run.actor}", Tone.QUIET),
            _rehearsed(picture, now),
        ]
    )


def _rehearsed(picture: RunPicture, now: datetime) -> Content:
    """When a rollback was rehearsed last; nothing where it is no use.

    That is of a run that has no undo, only pretends, or was rolled back in earnest.
    """
    if (
        picture.run.simulated
        or picture.last_rollback
        or not (picture.rehearsal or picture.can_undo_something)
    ):
        return Content()
    is_bad = picture.rehearsal is not None and not picture.rehearsal.is_well
    return toned(last_rehearsed(picture.rehearsal, now), Tone.BAD if is_bad else Tone.QUIET)


def told(notifications: Iterable[Notification]) -> Content:
    """Who was told last, who could not be, and when somebody else is."""
    deliveries = [one for notification in notifications for one in notification.deliveries]
    failed = sorted({one.channel for one in deliveries if one.error and not one.is_sent})
    if failed:
        return toned(f"not told: {', '.join(failed)}", Tone.BAD)
    upcoming = [one.due_at for one in notifications if one.due_at is not None]
    if upcoming:
        return toned(f"more are told at {min(upcoming).astimezone():%H:%M}", Tone.ATTENTION)
    reached = dict.fromkeys(one.channel for one in deliveries if one.is_sent)
    return toned(f"told {', '.join(reached)}" if reached else "", Tone.QUIET)


def _rollback(event: RollbackEvent | None) -> Content:
    """What became of the last rollback; it stands beside the status, which it leaves as it was."""
    if event is None:
        return Content()
    mark = rollback_mark(event)
    return toned(f"{UNDONE_GLYPH} rollback {mark.word}", mark.tone)
