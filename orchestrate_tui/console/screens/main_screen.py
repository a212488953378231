"""The main screen: runs, the stages of the chosen one, the log of the chosen stage, rollbacks."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.bridge import DRAINS_PER_SECOND, Bridge, Changes
from orchestrate_tui.console.company import company
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.lights import lights
from orchestrate_tui.console.looking import Looking
from orchestrate_tui.console.pace import Pace
from orchestrate_tui.console.run_filter import RunFilter
from orchestrate_tui.console.run_picture import GOES_ON, RunPicture
from orchestrate_tui.console.screens import dialogs
from orchestrate_tui.console.stage_label import without_output
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.banner import Banner
from orchestrate_tui.console.widgets.key_line import KeyLine
from orchestrate_tui.console.widgets.log_view import LogView
from orchestrate_tui.console.widgets.rollback_history import RollbackHistory
from orchestrate_tui.console.widgets.run_header import RunHeader
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.console.widgets.stage_detail import StageDetail
from orchestrate_tui.console.widgets.stage_graph import StageGraphView
from orchestrate_tui.console.widgets.status_line import StatusLine
from orchestrate_tui.console.widgets.trouble_line import TroubleLine
from orchestrate_tui.console.widgets.waiting_line import WaitingLine
from orchestrate_tui.domain.events import failed_steps
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from orchestrate_tui.console.ports import Attendance
    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.domain.presence import Person
    from orchestrate_tui.store.breakers import Breaker
    from orchestrate_tui.store.history import History

WIDE = 110
"""From so many columns on, the runs stand beside the rest."""

FLAT = 18
"""With fewer lines, the graph has hardly two."""

PANES = {"runs": "1 Runs", "graph": "2 Stages", "log": "3 Log", "rollbacks": "4 Rollbacks"}
NARROW_PANES = {**PANES, "log": "3 Log · 4 Rollbacks", "rollbacks": "4 Rollbacks · 3 Log"}
SETTLED_S = 0.1
"""A run that was chosen for so long is looked at, and not only passed by."""

LOWER_PANES = ("log", "rollbacks")
"""In a small terminal there is room for one of these."""


class Covered(Vertical):
    """Holds panes that cover it, without a border or a text of its own to be drawn."""

    BLANK = True


class MainScreen(Screen[None]):
    """Shows what the history says as it changes; nothing here changes anything."""

    BLANK = True
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  (Textual's way)
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (FLAT, "-high")]  # noqa: RUF012
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

    def __init__(
        self,
        history: History,
        bridge: Bridge,
        *,
        run_id: int | None = None,
        read_only: bool = True,
        attendance: Attendance | None = None,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__()
        self.picture: RunPicture | None = None
        self.stage_name: str | None = None
        self._history = history
        self._bridge = bridge
        self._clock = clock
        self._first_run_id = run_id
        self._is_read_only = read_only
        self._attendance = attendance
        self._people: tuple[Person, ...] | None = None
        self._stage_is_mine = False
        self._filter = RunFilter()
        self._only_this_run = False
        self._was_shown = False
        self._lights = Looking(history, lights)
        self._pace = Pace()
        self.waiting: tuple[RollbackEvent, ...] = ()
        self.breakers: tuple[Breaker, ...] = ()

    def compose(self) -> ComposeResult:
        """Two groups of panes: beside each other when there is room, else one over the other."""
        yield TroubleLine()
        yield RunHeader()
        yield StatusLine()
        yield WaitingLine()
        yield Banner()
        with Covered(id="body"):
            yield RunsList(id="runs", clock=self._clock)
            with Covered(id="run"):
                yield StageGraphView(id="graph", clock=self._clock)
                with Vertical(id="stage"):
                    yield StageDetail()
                    yield LogView(id="log")
                yield RollbackHistory(id="rollbacks", clock=self._clock)
        yield KeyLine()

    def suit(self, room: Size) -> None:
        """Take the form for a room, before what is in it is arranged for the first time."""
        for breakpoints, length in (
            (self.HORIZONTAL_BREAKPOINTS, room.width),
            (self.VERTICAL_BREAKPOINTS, room.height),
        ):
            form = max(one for one in breakpoints if one[0] <= length)[1]
            self.add_class(form, update=False)

    def on_mount(self) -> None:
        """Show the newest run, or the one that was asked for."""
        self._entitle()
        self._look_round()
        self._show_runs()
        self.query_one(RollbackHistory).show(self._fetch_rollbacks)
        run_id = self._first_run_id or self.query_one(RunsList).current
        if run_id is not None:
            self.choose_run(run_id)
        else:
            self._tell()
        self._look_for_waiting()
        self.set_focus(self.query_one(StageGraphView if run_id is not None else RunsList))
        self.query_one(KeyLine).take_over()  # with the first picture, not after it
        self.set_interval(1 / DRAINS_PER_SECOND, self._drain)
        self.set_interval(1, self._tick)

    def on_unmount(self) -> None:
        """Find nothing more out."""
        self._lights.close()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Look as before; what is shown for the first time looks as it was made to."""
        event.refresh_styles = self._was_shown
        self._was_shown = True

    def on_resize(self) -> None:
        """Say where the rollbacks are when there is no room for them beside the log."""
        self._entitle()

    def _entitle(self) -> None:
        """Give each pane its key and its name, and say what it leaves out."""
        titles = NARROW_PANES if self.app.size.width < WIDE else PANES
        notes = {
            "runs": f": only {self._filter}" if self._filter else "",
            "rollbacks": ": only this run" if self._only_this_run else "",
        }
        for pane, title in titles.items():
            self._frame(pane).border_title = plain(title + notes.get(pane, ""))

    def _show_runs(self) -> None:
        """Show the runs that the filter lets through."""
        self.query_one(RunsList).show(
            self._filter.fetch_from(self._history),
            self._history.last_rollbacks,
            empty_text="No run matches the filter" if self._filter else "No runs yet",
        )

    def _frame(self, pane: str) -> Widget:
        """The widget that carries the title of a pane."""
        return self.query_one("#stage" if pane == "log" else f"#{pane}")

    # What is shown

    def choose_run(self, run_id: int) -> None:
        """Show a run, beginning with its stage of interest."""
        self._stage_is_mine = False
        self.picture = RunPicture.read(self._history, run_id)
        self.stage_name = self.picture.stage_of_interest
        self.query_one(RunsList).choose(run_id)
        self.query_one(StageGraphView).show(
            self.picture.pipeline, self.picture.stages, self.stage_name
        )
        self.query_one(StageGraphView).update_stages(self.picture.stages, self.picture.undoing)
        self._show_rollbacks_of_run()
        self._show_stage()
        self._show_lights(run_id)

    @work(exclusive=True, group="lights")
    async def _show_lights(self, run_id: int) -> None:
        """Show which stages of the chosen run could be undone, as soon as that is known."""
        await asyncio.sleep(SETTLED_S)  # a look keeps a processor from drawing what comes next
        with suppress(CancelledError):  # another run was chosen before this one was looked at
            try:
                found = await outcome(self._lights.look(run_id))
            except OrchestrateError:  # the console reads too, and says what is wrong
                found = {}
            if self.picture is not None and self.picture.run.id == run_id:
                for graph in self.query(StageGraphView):  # which is gone before the screen is
                    graph.show_lights(found)

    def _choose_current(self) -> None:
        """Show the run under the cursor; nothing when the list is empty."""
        run_id = self.query_one(RunsList).current
        if run_id is None:
            self._choose_none()
        elif self.picture is None or run_id != self.picture.run.id:
            self.choose_run(run_id)

    def _choose_none(self) -> None:
        self.picture = self.stage_name = None
        self.query_one(RunsList).choose(None)
        self.query_one(StageGraphView).clear()
        self.query_one(LogView).follow_file(None)
        self._show_rollbacks_of_run()
        self._tell()
        self.offer_keys()

    def _show_rollbacks_of_run(self) -> None:
        if self._only_this_run:
            self.query_one(RollbackHistory).show(self._fetch_rollbacks)

    def _show_stage(self) -> None:
        """Show detail and log of the chosen stage."""
        picture, name = self.picture, self.stage_name
        if picture is None or name is None:
            return
        stage = picture.by_name[name]
        path = self._history.log_path(picture.run.id, name, max(stage.attempt, 1))
        self.query_one(LogView).follow_file(path, without_output(stage, picture.run))
        self._tell()
        self.offer_keys()

    def offer_keys(self) -> None:
        """Offer the keys that the chosen run and stage allow; there are none of these here."""

    def _tell(self) -> None:
        """Say how the run and the stage stand, and since when."""
        now = self._clock()
        self.query_one(RunHeader).show(self.picture, now=now, is_read_only=self._is_read_only)
        self.query_one(StageDetail).show(self.picture, self.stage_name, now)
        self.query_one(StatusLine).show(self._status())

    def _status(self) -> Iterable[Content]:
        """What the status line tells."""
        return () if self._people is None else (company(self._people, self.picture),)

    def _look_round(self) -> None:
        """Find out who is there."""
        if self._attendance is not None:
            self._people = self._attendance.people()

    @on(RunsList.RunChosen)
    def _run_chosen(self, event: RunsList.RunChosen) -> None:
        if self.picture is None or event.run_id != self.picture.run.id:
            self.choose_run(event.run_id)
        if event.opened:
            self.action_pane("graph")

    @on(StageGraphView.StageChosen)
    def _stage_chosen(self, event: StageGraphView.StageChosen) -> None:
        self._stage_is_mine = True
        self.stage_name = event.stage_name
        self.query_one(StageGraphView).show_chosen()
        self._show_stage()

    @on(StageGraphView.StageOpened)
    def _stage_opened(self) -> None:
        self.action_full_log()

    @on(RollbackHistory.RollbackOpened)
    def _rollback_opened(self, event: RollbackHistory.RollbackOpened) -> None:
        self.app.push_screen(
            dialogs.RollbackSteps(self._history, event.rollback_id, clock=self._clock)
        )

    # What changes

    def _drain(self) -> None:
        """Take over what changed; only what is shown is read again, and who works goes first."""
        if not self._pace.is_due():
            return
        changes = self._bridge.drain()
        if changes:
            self._take_over(changes)
        self.query_one(LogView).catch_up()
        self.query_one(TroubleLine).show(self.trouble)

    @property
    def trouble(self) -> str:
        """What keeps an executor from working, in whatever process; "" is nothing."""
        return "" if self._attendance is None else self._attendance.trouble()

    def _look_for_waiting(self) -> None:
        """Find out which rollbacks wait for the operator, and which breakers are tripped."""
        self.waiting = self._history.waiting_rollbacks()
        self.breakers = self._history.breakers()
        keys = not self._is_read_only
        waiting = [(event, self._failed_step(event.id or 0)) for event in self.waiting]
        self.query_one(WaitingLine).show(waiting, self.breakers, keys=keys)

    def _failed_step(self, rollback_id: int) -> RollbackStep | None:
        return next(iter(failed_steps(self._history.steps(rollback_id))), None)

    def _take_over(self, changes: Changes) -> None:
        self.query_one(Banner).warn(changes.warnings)
        if changes.concern_rows:
            self.query_one(RunsList).update_runs()
        if changes.rollbacks or changes.everything:
            self.query_one(RollbackHistory).update_rows()
            self._look_for_waiting()
        if self.picture is None:
            self._choose_current()
        elif changes.concern(self.picture.run.id):
            self._update_run(self.picture, changes.stages.get(self.picture.run.id, ()))

    def _update_run(self, before: RunPicture, changed: Collection[str] = ()) -> None:
        """Show how the run stands now; `changed` as RunPicture.read takes it."""
        run_id = before.run.id
        picture = self.picture = RunPicture.read(self._history, run_id, before, changed=changed)
        graph = self.query_one(StageGraphView)
        graph.update_stages(picture.stages, picture.undoing)
        is_free = not self._stage_is_mine and graph.chosen == self.stage_name  # else it was left
        if is_free and self.stage_name != picture.stage_of_interest:
            self.stage_name = picture.stage_of_interest
            graph.choose(self.stage_name)
        self._show_stage()

    def _tick(self) -> None:
        """Let times go on, and notice what no commit tells: who came and who went."""
        self._look_round()
        self._look_for_waiting()
        picture = self.picture
        if picture is not None and (picture.run.status in GOES_ON or picture.undoing):
            self._update_run(picture)
        else:
            self._tell()
        self.query_one(RollbackHistory).tick()
        if picture is not None and self._lights.is_due(picture.run.id):
            self._show_lights(picture.run.id)

    def _fetch_rollbacks(self, before: int | None) -> Sequence[RollbackEvent]:
        if not self._only_this_run:
            return self._history.rollbacks(before=before)
        return self._history.rollbacks(self.picture.run.id, before=before) if self.picture else ()

    # What the operator looks at

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
        if pane in LOWER_PANES:
            self.set_class(pane == "rollbacks", "-rollbacks")
        for other in PANES:
            self.remove_class(f"-zoom-{other}")
        self.query_one(f"#{pane}").focus()

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
        log = self.query_one(LogView)
        if log.path is not None and self.picture is not None:
            run, stage = self.picture.run, self.picture.by_name[self.stage_name or ""]
            attempt = f", attempt {stage.attempt}" if stage.attempt > 1 else ""
            title = f"#{run.id} {run.pipeline}  {stage.stage_name}{attempt}"
            self.app.push_screen(dialogs.LogScreen(log.path, plain(title), log.empty_text))

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
