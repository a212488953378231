"""The log of a stage on the whole screen, with a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from textual.content import Content
from textual.widgets import Static

from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.log_screen import LogScreen
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.console.widgets.stage_log import StageLog


class StageLogScreen(LogScreen):
    """Goes on with each new attempt, like the `pane` it covers; `show` has a log show the stage."""

    LOG = StageLog

    def __init__(self, pane: StageLog, title: Content, show: Callable[[StageLog], None]) -> None:
        super().__init__(pane.path or Path(), title)
        self._pane = pane
        self._show = show
        self._told = (0, 0)

    def show_log(self) -> None:
        """Begin with the attempt that is shown in the pane."""
        self.query_one(StageLog).go_on_from(self._pane)
        self.catch_up()

    def catch_up(self) -> None:
        """Take over what was written since, and which attempt is the last one by now."""
        log = self.query_one(StageLog)
        self._show(log)
        if self._told != (log.attempt, log.last):
            self._told = log.attempt, log.last
            self.query_one("#heading", Static).update(joined(self._about(log), ""))
        super().catch_up()

    def _about(self, log: StageLog) -> Iterator[Content]:
        yield self._heading
        if log.last > 1:
            yield plain(f", attempt {log.attempt}")
        if log.is_older:
            yield toned(f"  [f: attempt {log.last}]", Tone.ATTENTION)

    def action_follow(self) -> None:
        """Go to the end of the last attempt and stay there."""
        log = self.query_one(StageLog)
        if log.is_older:
            log.action_scroll_end()
        else:
            super().action_follow()
