"""All runs, newest first; however many there are, only what is looked at is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from orchestrate_tui.console.durations import Clock, clock, duration, elapsed_s
from orchestrate_tui.console.marks import UNDONE_GLYPH, rollback_mark, run_mark
from orchestrate_tui.console.run_pages import Fetch, RunPages
from orchestrate_tui.console.text import cell_width, fitted, visible
from orchestrate_tui.console.widgets.line_view import Piece, RowView
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RunStatus

SEEN = "•"
"""Beside the sign of a run that went wrong: somebody has acknowledged it."""

BEATS_PER_SECOND = 2
LastRollbacks = Callable[[Collection[int]], Mapping[int, RollbackEvent]]
"""The last rollback of each of some runs that was rolled back."""

WITH_STATUS, WITH_START, WITH_BRANCH = 46, 63, 76
"""From these widths on the word of the status, the start and the branch are shown too."""


class RunsList(RowView):
    """A row for each run; `show` gives it what to read, `update_runs` says that runs changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", show=False),
    ]

    class RunChosen(Message):
        """The operator went to a run; `opened` when with Enter."""

        def __init__(self, run_id: int, *, opened: bool = False) -> None:
            super().__init__()
            self.run_id = run_id
            self.opened = opened

    def __init__(self, *, id: str | None = None, clock: Clock = utc_now) -> None:  # noqa: A002
        super().__init__(id=id)
        self.chosen: int | None = None
        self._clock = clock
        self._pages = RunPages(lambda _before, _limit: ())
        self._last_rollbacks: LastRollbacks = lambda _run_ids: {}
        self._rollbacks: dict[int, RollbackEvent | None] = {}
        self._empty_text = ""
        self._tick = 0
        self._pulse: Timer | None = None

    def on_mount(self) -> None:
        """Prepare the animation; it only runs while a run is visible that goes on."""
        self._pulse = self.set_interval(1 / BEATS_PER_SECOND, self._beat, pause=True)

    @property
    def row_count(self) -> int:
        """The runs that are known so far."""
        return self._pages.count

    @property
    def current(self) -> int | None:
        """The run under the cursor; None without runs."""
        run = self._pages.row(self.cursor)
        return run.id if run else None

    def show(self, fetch: Fetch, last_rollbacks: LastRollbacks, *, empty_text: str) -> None:
        """Show other runs, the chosen one still chosen if it is among the newest.

        `empty_text` stands there while there are none.
        """
        self._pages = RunPages(fetch)
        self._empty_text = empty_text
        self._last_rollbacks = last_rollbacks
        self._rollbacks.clear()
        self.cursor = 0
        self.scroll_to(y=0, animate=False, force=True)
        self._measure()
        row = None if self.chosen is None else self._pages.index_of(self.chosen)
        if row is not None:
            self.place_cursor(row)

    def update_runs(self) -> None:
        """Read again what is looked at; new runs push the rest down."""
        new = self._pages.refresh()
        self._rollbacks.clear()
        row = None if self.chosen is None else self._pages.index_of(self.chosen)
        if row is None:
            row = self.cursor and self.cursor + new
        self.cursor = max(0, min(row, self.row_count - 1))
        if self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + new, animate=False, force=True)
        self.virtual_size = Size(0, self._pages.count)
        self.refresh_changed()

    def choose(self, run_id: int | None) -> None:
        """Put the cursor on a run, if it is among those that are known; None chooses none."""
        self.chosen = run_id
        row = None if run_id is None else self._pages.index_of(run_id)
        if row is not None:
            self.virtual_size = Size(0, self._pages.count)
            self.place_cursor(row)
        self._refresh_row(self.cursor)

    def _move_cursor(self, row: int) -> None:
        """Tell to which run the operator goes, even where the cursor waits on one not chosen.

        The cursor follows by `choose`, so that one picture shows it and all there is of the run.
        """
        run = self._pages.row(max(0, min(row, self.row_count - 1)))
        if run is not None and run.id != self.chosen:
            self.post_message(self.RunChosen(run.id))

    def action_open(self) -> None:
        """Tell that the operator wants to go into the run."""
        run = self._pages.row(self.cursor)
        if run is not None:
            self.post_message(self.RunChosen(run.id, opened=True))

    def _measure(self) -> None:
        self.virtual_size = Size(0, self._pages.count)
        self.keep_room()
        self.refresh()

    def _beat(self) -> None:
        """Redraw the visible rows whose run goes on."""
        self._tick += 1
        going = [row for row, run in self._visible() if run.status is RunStatus.RUNNING]
        for row in going:
            self.refresh_line(row)
        if not going and self._pulse is not None:
            self._pulse.pause()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        row = y + self.scroll_offset.y
        run = self._pages.row(row) if row < self.row_count else None
        if run is None:
            empty = self._empty_text if row == 0 and not self.row_count else ""
            return self.strip([(f" {empty}", self.look("line--faint"))])
        if run.status is RunStatus.RUNNING and self._pulse is not None:
            self._pulse.resume()
        is_chosen = row == self.cursor and run.id == self.chosen
        style = self.ground("line--cursor") if is_chosen else None
        return self.strip(self._pieces(run), style=style)

    def _pieces(self, run: Run) -> Iterator[Piece]:
        now, mark = self._clock(), run_mark(run.status)
        plain, faint = Style.null(), self.look("line--faint")
        width = self.picture.room
        seconds = elapsed_s(run.started_at, run.completed_at, now)
        end = "" if seconds is None else duration(seconds)
        more = tuple(self._more(run, now, width))
        seen = SEEN if run.acknowledged_by else " "
        yield f" {mark.frame(self._tick * self.may_move)}{seen}", self.look(f"tone--{mark.tone}")
        yield f"{f'#{run.id}':<6}", faint
        name = visible(run.pipeline) + (" ~simulated" if run.simulated else "")
        yield fitted(name, width - 21 - sum(cell_width(text) for text, _ in more)), plain
        yield self._undone(run)
        yield from more
        yield f"{end:>9}", plain

    def _more(self, run: Run, now: datetime, width: int) -> Iterator[Piece]:
        """What there is room for beside the name."""
        mark, faint = run_mark(run.status), self.look("line--faint")
        if width >= WITH_STATUS:
            yield f" {fitted(mark.word, 11)}", self.look(f"tone--{mark.tone}")
        if width >= WITH_BRANCH:
            yield f" {fitted(visible(run.trigger.branch or ''), 12)}", faint
        if width >= WITH_START:
            yield f" {clock(run.created_at, now):>12}", faint

    def _undone(self, run: Run) -> Piece:
        """A sign for what became of the run's last rollback, beside the run's own status."""
        event = self._rollback_of(run)
        if event is None:
            return "   ", Style.null()
        mark = rollback_mark(event)
        return f" {UNDONE_GLYPH}{mark.glyph}", self.look(f"tone--{mark.tone}")

    def _rollback_of(self, run: Run) -> RollbackEvent | None:
        if run.id not in self._rollbacks:
            seen = (run.id for _, run in self._visible())
            asked = {run.id, *seen} - self._rollbacks.keys()
            found = self._last_rollbacks(asked)
            self._rollbacks |= {run_id: found.get(run_id) for run_id in asked}
        return self._rollbacks[run.id]

    def _visible(self) -> Iterator[tuple[int, Run]]:
        """The rows that are visible, and the run of each."""
        top = self.scroll_offset.y
        for row in range(top, min(top + self.size.height, self.row_count)):
            run = self._pages.row(row)
            if run is not None:
                yield row, run
