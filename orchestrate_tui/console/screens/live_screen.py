"""What the main screen shows, and how it follows what happens."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from orchestrate_tui.console.asking import beside, outcome
from orchestrate_tui.console.bridge import Bridge, Changes
from orchestrate_tui.console.company import company
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.lights import lights
from orchestrate_tui.console.looking import Looking
from orchestrate_tui.console.pace import Pace
from orchestrate_tui.console.rhythm import LOOKS_PER_ROUND, LOOKS_PER_SECOND, Rhythm
from orchestrate_tui.console.run_filter import RunFilter
from orchestrate_tui.console.run_picture import GOES_ON, RunPicture
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.banner import Banner
from orchestrate_tui.console.widgets.key_line import KeyLine
from orchestrate_tui.console.widgets.rollback_history import RollbackHistory
from orchestrate_tui.console.widgets.run_header import RunHeader
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.console.widgets.settled import Settled
from orchestrate_tui.console.widgets.stage_detail import StageDetail
from orchestrate_tui.console.widgets.stage_graph import StageGraphView
from orchestrate_tui.console.widgets.stage_log import StageLog
from orchestrate_tui.console.widgets.status_line import StatusLine
from orchestrate_tui.console.widgets.trouble_line import TroubleLine
from orchestrate_tui.console.widgets.waiting_line import WaitingLine
from orchestrate_tui.domain.events import failed_steps
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.worker import Worker

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


class Group(Settled, Vertical):
    """Holds what stands one over the other."""


class Covered(Group):
    """One whose panes cover it, without a border or a text of its own to be drawn."""

    BLANK = True


class LiveScreen(Screen[None]):
    """Shows runs, the stages of the chosen one, the log of the chosen stage, and rollbacks."""

    BLANK = True
    AUTO_FOCUS = ""
    NO_RUNS: ClassVar[str] = "No runs yet"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  (Textual's way)
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (FLAT, "-high")]  # noqa: RUF012

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
        self._look: Worker[None] | None = None
        self._stage_is_mine = False
        self._filter = RunFilter()
        self._only_this_run = False
        self._lights = Looking(history, lights)
        self.pace = Pace()
        self._is_second_over = False
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
                with Group(id="stage"):
                    yield StageDetail()
                    yield StageLog(id="log")
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
        self._people = self._attendance.people() if self._attendance is not None else None
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
        self._rhythm = Rhythm(
            quick=self.set_interval(1 / LOOKS_PER_SECOND, self._drain),
            slow=self.set_interval(LOOKS_PER_ROUND / LOOKS_PER_SECOND, self._drain),
        )
        self.set_interval(1, self._note_second)

    def on_unmount(self) -> None:
        """Find nothing more out."""
        self._lights.close()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Look as it was made to when it is shown for the first time, and as before later."""
        event.refresh_styles = False

    def _compositor_refresh(self) -> None:
        """Paint what changed; what was just arranged waits where all is painted right after it.

        Nothing is painted for what was still to be asked for when all was, nor again behind a
        dialog, which Textual asks for each time that it has painted there.
        """
        if self._layout_required and self._repaint_required:
            return
        is_whole = self.size.region in self._compositor._dirty_regions  # noqa: SLF001
        super()._compositor_refresh()
        if self is not self.app.screen:
            self._repaint_required = False
        if is_whole and self.is_current:
            for widget in self._compositor.visible_widgets:
                widget._repaint_required = False  # noqa: SLF001
                widget._exchange_repaint_regions()  # noqa: SLF001

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
            empty_text="No run matches the filter" if self._filter else self.NO_RUNS,
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
        await Pace().give_way()  # or an executor from going on
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
        self.query_one(StageLog).clear()
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
        log_path, stage = self._history.log_path, picture.by_name[name]
        self.query_one(StageLog).show(log_path, picture.run, stage)
        self._tell()
        self.offer_keys()

    def offer_keys(self) -> None:
        """Offer the keys that the chosen run and stage allow; there are none of these here."""

    def _tell(self) -> None:
        """Say how the run and the stage stand, and since when."""
        now = self._clock()
        self.query_one(RunHeader).show(self.picture, now=now, is_read_only=self._is_read_only)
        log = self.query_one(StageLog)
        older = log.attempt if log.is_older else 0
        self.query_one(StageDetail).show(self.picture, self.stage_name, now, logged=older)
        self.query_one(StatusLine).show(self._status())

    def _status(self) -> Iterable[Content]:
        """What the status line tells."""
        return () if self._people is None else (company(self._people, self.picture),)

    def _look_round(self) -> None:
        """Find out who is there, unless that is under way: the kernel takes its time to tell."""
        if self._attendance is not None and (self._look is None or self._look.is_finished):
            self._look = self._find_people(self._attendance)

    @work()
    async def _find_people(self, attendance: Attendance) -> None:
        self._people = await outcome(beside(attendance.people))
        for line in self.query(StatusLine):  # which is gone before the screen is
            line.show(self._status())

    @on(StageLog.LastWanted)
    def _last_attempt_wanted(self) -> None:
        self._show_stage()

    @on(StageGraphView.StageChosen)
    def _stage_chosen(self, event: StageGraphView.StageChosen) -> None:
        self._stage_is_mine = True
        self.stage_name = event.stage_name
        self.query_one(StageGraphView).show_chosen()
        self._show_stage()

    # What changes

    def _drain(self) -> None:
        """Take over what changed; only what is shown is read again, and who works goes first."""
        if not self.pace.is_due():
            return
        if self._is_second_over:
            self._is_second_over = False
            self._tick()
        is_round = self._rhythm.next_is_round()
        is_check = is_round and self._rhythm.is_check
        changes = self._bridge.drain(with_others=is_round, with_deaths=is_check)
        if changes:
            self._take_over(changes)
        if changes or is_round:  # what no commit tells, less often
            self.query_one(StageLog).catch_up()
        if changes or is_check:
            self.query_one(TroubleLine).show(self.trouble)
        self._rhythm.found(something=bool(changes))

    def _note_second(self) -> None:
        """Let times go on as soon as it is time to draw."""
        self._is_second_over = True

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
        before = self.picture
        if before is None:
            self._choose_current()
        elif changes.concern(before.run.id):
            self._update_run(_later(before, self._history, changes))

    def _update_run(self, picture: RunPicture) -> None:
        """Show how the run stands now."""
        self.picture = picture
        graph = self.query_one(StageGraphView)
        graph.update_stages(picture.stages, picture.undoing)
        is_left = self._stage_is_mine or graph.chosen != self.stage_name
        is_free = not is_left and not self.query_one(StageLog).is_read
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
            self._update_run(picture.again(self._history))
        else:
            self._tell()
        self.query_one(RollbackHistory).tick()
        if picture is not None and self._lights.is_due(picture.run.id):
            self._show_lights(picture.run.id)

    def _fetch_rollbacks(self, before: int | None) -> Sequence[RollbackEvent]:
        if not self._only_this_run:
            return self._history.rollbacks(before=before)
        return self._history.rollbacks(self.picture.run.id, before=before) if self.picture else ()


def _later(before: RunPicture, history: History, changes: Changes) -> RunPicture:
    """A run after changes that concern it; no more is read than they tell of."""
    run_id = before.run.id
    if changes.everything:
        return before.again(history, None)
    changed = changes.stages[run_id]
    if run_id in changes.runs:
        return before.again(history, changed)
    return before.with_stages(history, changed)
