"""The line at the top: which run is shown, how it stands, and what this console may do."""

from __future__ import annotations

from datetime import datetime

from textual.content import Content
from textual.widgets import Static

from orchestrate_tui.console.durations import duration, elapsed_s
from orchestrate_tui.console.marks import Tone, run_mark
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.domain.run import Run


class RunHeader(Static):
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

    def show(self, run: Run | None, *, now: datetime, is_read_only: bool) -> None:
        """Tell how `run` stands."""
        read_only = Content.styled(" READ-ONLY ", "reverse") if is_read_only else Content()
        parts = [_about(run, now)] if run else [Content("no run yet")]
        self.update(joined([Content.styled("Orchestrate", "bold"), read_only, *parts]))


def _about(run: Run, now: datetime) -> Content:
    mark = run_mark(run.status)
    seconds = elapsed_s(run.started_at, run.completed_at, now)
    return joined(
        [
            Content.styled(f"#{run.id}", "bold"),
            plain(run.pipeline),
            toned(f"{mark.glyph} {mark.word}", mark.tone),
            plain("" if seconds is None else duration(seconds)),
            toned("~simulated" if run.simulated else "", Tone.ATTENTION),
            plain(f"on {run.trigger.branch}" if run.trigger.branch else ""),
            toned(f"by {run.actor}", Tone.QUIET),
            toned(run.reason, Tone.QUIET),
        ]
    )
