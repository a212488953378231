"""The log of a stage: of its last attempt, unless somebody still reads an older one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.message import Message

from orchestrate_tui.console.stage_label import without_output
from orchestrate_tui.console.widgets.log_view import LogView
from orchestrate_tui.domain.run import Run, StageRun

LogPath = Callable[[int, str, int], Path]
"""Where the log of an attempt of a stage of a run is."""


class StageLog(LogView):
    """Goes on with each new attempt; who has scrolled up stays until they ask for the last one."""

    class LastWanted(Message):
        """The reader of an older attempt wants to see the last one."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.attempt = 0
        self.last = 0
        self._of: tuple[int, str] | None = None

    @property
    def is_older(self) -> bool:
        """Whether there is a later attempt than the one that is shown."""
        return self.attempt < self.last

    @property
    def is_read(self) -> bool:
        """Whether somebody has scrolled up, in this attempt or before the last one began."""
        return self.is_older or not self.is_following

    def show(self, path_of: LogPath, run: Run, stage: StageRun) -> None:
        """Show what a stage writes."""
        before, self._of = self._of, (run.id, stage.stage_name)
        stays = self._of == before and self.is_read
        self.last = max(stage.attempt, 1)
        self.attempt = self.attempt if stays else self.last
        path = path_of(run.id, stage.stage_name, self.attempt)
        self.follow_file(path, without_output(stage, run))

    def go_on_from(self, other: StageLog) -> None:
        """Have the next `show` begin with the attempt that is shown in another one."""
        self._of, self.attempt, self.last = other._of, other.attempt, other.last

    def clear(self) -> None:
        """Show nothing."""
        self._of = None
        self.attempt = self.last = 0
        self.follow_file(None)

    def action_scroll_end(self) -> None:
        """Go to the end; from an older attempt to that of the last one."""
        if self.is_older:
            self._of = None
            self.post_message(self.LastWanted())
        else:
            super().action_scroll_end()
