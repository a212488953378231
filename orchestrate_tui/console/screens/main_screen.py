"""The main screen: what an operator does to look at runs, their stages, logs and rollbacks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from orchestrate_tui.console.screens import dialogs
from orchestrate_tui.console.screens.live_screen import PANES, LiveScreen
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.banner import Banner
from orchestrate_tui.console.widgets.rollback_history import RollbackHistory
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.console.widgets.stage_graph import StageGraphView
from orchestrate_tui.console.widgets.stage_log import StageLog

if TYPE_CHECKING:
    from orchestrate_tui.console.run_filter import RunFilter

LOWER_PANES = ("log", "rollbacks")
"""In a small terminal there is room for one of these."""


class MainScreen(LiveScreen):
    """Shows what the history says as it changes; nothing here changes anything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane('runs')", "Runs", show=False, tooltip="Go to the runs"),
        Binding("2", "pane('graph')", "Stages", show=False, tooltip="Go to the stages"),
        Binding("3", "pane('log')", "Log", show=False, tooltip="Go to the log"),
        Binding("4", "pane('rollbacks')", "Rollbacks", show=False, tooltip="Go to the rollbacks"),
        Binding("slash", "filter", "Filter", tooltip="Show only some runs"),
        Binding("L", "full_log", "Log", key_display="L", tooltip="The log on the whole screen"),
        Binding("o", "only_this_run", "Only this run", show=False, tooltip="Rollbacks of one run"),
        Binding("i", "readiness", "Readiness", show=False, tooltip="Could this run be undone?"),
        Binding("v", "releases", "Releases", show=False, tooltip="Releases and quarantines"),
        Binding("escape", "put_away", "Put away", show=False),
        Binding("z", "zoom", "Zoom", show=False, tooltip="This pane on the whole screen"),
    ]

    @on(RunsList.RunChosen)
    def _run_chosen(self, event: RunsList.RunChosen) -> None:
        if self.picture is None or event.run_id != self.picture.run.id:
            self.choose_run(event.run_id)
        if event.opened:
            self.action_pane("graph")

    @on(StageGraphView.StageOpened)
    def _stage_opened(self) -> None:
        self.action_full_log()

    @on(RollbackHistory.RollbackOpened)
    def _rollback_opened(self, event: RollbackHistory.RollbackOpened) -> None:
        self.app.push_screen(
            dialogs.RollbackSteps(self._history, event.rollback_id, clock=self._clock)
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to put the banner away only while it is there."""
        if action == "put_away":
            return bool(self.query_one(Banner).display)
        return super().check_action(action, parameters)

    def action_put_away(self) -> None:
        """Put the banner away."""
        self.query_one(Banner).put_away()

    def action_pane(self, pane: str) -> None:
        """Go to a pane; where only one fits, it takes the place of the other."""
        self._make_way_for(pane)
        self.query_one(f"#{pane}").focus()

    def _make_way_for(self, pane: str) -> None:
        """Have a pane in view."""
        if pane in LOWER_PANES:
            self.set_class(pane == "rollbacks", "-rollbacks")
        for other in PANES:
            self.remove_class(f"-zoom-{other}")

    def action_zoom(self) -> None:
        """Give the whole screen to the pane with the focus, or take it back."""
        pane = self.focused.id if self.focused is not None else None
        if pane in PANES:
            self.toggle_class(f"-zoom-{pane}")

    def action_only_this_run(self) -> None:
        """Show the rollbacks of the chosen run only, or of all runs."""
        self._only_this_run = not self._only_this_run
        self._entitle()
        self.query_one(RollbackHistory).show(self._fetch_rollbacks)

    def action_full_log(self) -> None:
        """Show the log on the whole screen."""
        pane = self.query_one(StageLog)
        if pane.path is not None and self.picture is not None and self.stage_name is not None:
            run, name = self.picture.run, self.stage_name
            title = plain(f"#{run.id} {run.pipeline}  {name}")
            show = partial(self._show_log, run.id, name)
            self.app.push_screen(dialogs.StageLogScreen(pane, title, show))

    def _show_log(self, run_id: int, stage_name: str, log: StageLog) -> None:
        """Have a log show what is known of a stage now."""
        picture = self.picture
        if picture is not None and picture.run.id == run_id:
            log.show(self._history.log_path, picture.run, picture.by_name[stage_name])

    def action_readiness(self) -> None:
        """Show whether the stages of the chosen run could be undone."""
        if self.picture is not None:
            self.app.push_screen(
                dialogs.ReadinessScreen(self._history, self.picture.run.id, clock=self._clock)
            )

    def action_releases(self) -> None:
        """Show the releases, and the versions that are quarantined."""
        self._show_releases(dialogs.ReleasesScreen(self._history, clock=self._clock))

    def _show_releases(self, screen: dialogs.ReleasesScreen) -> None:
        def answered(run_id: int | None) -> None:
            if run_id is not None:
                self.choose_run(run_id)
                self.action_pane("graph")

        self.app.push_screen(screen, answered)

    def action_filter(self) -> None:
        """Ask which runs to show."""
        self.app.push_screen(dialogs.FilterDialog(self._filter), self._set_filter)

    def _set_filter(self, wanted: RunFilter | None) -> None:
        if wanted is None:
            return
        self._filter = wanted
        self._entitle()
        self._show_runs()
        self._choose_current()
        self.action_pane("runs")
