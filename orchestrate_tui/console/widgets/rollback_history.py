"""Every rollback: when, of which run, from which stage to which, why, by whom and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from orchestrate_tui.console.durations import Clock, clock, duration, elapsed_s
from orchestrate_tui.console.marks import ARROW, rollback_mark
from orchestrate_tui.console.text import visible
from orchestrate_tui.console.widgets.line_view import Piece, RowView
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import ENDED_ROLLBACKS

Fetch = Callable[[int | None], Sequence[RollbackEvent]]
"""The rollbacks before an id (None: the newest), newest first; none when there are no more."""


class RollbackHistory(RowView):
    """Two lines for each rollback: what it was, and its reason and error."""

    ROW_LINES = 2
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Steps", key_display="↵", tooltip="The steps of a rollback"),
    ]

    class RollbackChosen(Message):
        """The cursor came to another rollback, or this one changed."""

    class RollbackOpened(Message):
        """The operator wants to see the steps of a rollback."""

        def __init__(self, rollback_id: int) -> None:
            super().__init__()
            self.rollback_id = rollback_id

    def __init__(self, *, id: str | None = None, clock: Clock = utc_now) -> None:  # noqa: A002
        super().__init__(id=id)
        self._clock = clock
        self._events: list[RollbackEvent] = []
        self._fetch: Fetch = lambda _before: ()
        self._is_complete = False

    @property
    def row_count(self) -> int:
        """The rollbacks that are known so far."""
        return len(self._events)

    @property
    def current(self) -> RollbackEvent | None:
        """The rollback under the cursor."""
        return self._events[self.cursor] if self._events else None

    def show(self, fetch: Fetch) -> None:
        """Show other rollbacks."""
        self._fetch = fetch
        self.cursor = 0
        self.scroll_to(y=0, animate=False, force=True)
        self.update_rollbacks()

    def update_rollbacks(self) -> None:
        """Read again what is there; the cursor stays on its rollback."""
        current, wanted = self.current, len(self._events)
        self._events = list(self._fetch(None))
        self._is_complete = False
        while self._events and len(self._events) < wanted and not self._is_complete:
            self._read_on()
        ids = [event.id for event in self._events]
        if current is not None and self.cursor and current.id in ids:
            self.cursor = ids.index(current.id)
        self.cursor = min(self.cursor, max(self.row_count - 1, 0))
        self._measure()
        self.post_message(self.RollbackChosen())

    def tick(self) -> None:
        """Draw the time anew of what is not ended."""
        if any(event.status not in ENDED_ROLLBACKS for event in self._events):
            self.refresh()

    def row_chosen(self) -> None:
        """Read further back when the cursor comes to the end, and tell where it is."""
        if self.cursor == self.row_count - 1 and not self._is_complete:
            self._read_on()
            self._measure()
        self.post_message(self.RollbackChosen())

    def _read_on(self) -> None:
        more = self._fetch(self._events[-1].id)
        self._is_complete = not more
        self._events.extend(more)

    def _measure(self) -> None:
        self.virtual_size = Size(0, self.row_count * self.ROW_LINES)
        self.keep_room()
        self.refresh()

    def action_open(self) -> None:
        """Tell that the steps are wanted."""
        if self.current is not None and self.current.id is not None:
            self.post_message(self.RollbackOpened(self.current.id))

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        row, line = divmod(y + self.scroll_offset.y, self.ROW_LINES)
        if row >= self.row_count:
            empty = "No rollbacks" if row == line == 0 else ""
            return self.strip([(f" {empty}", self.look("line--faint"))])
        event = self._events[row]
        pieces = self._summary(event) if line == 0 else self._reason(event)
        style = self.ground("line--cursor") if row == self.cursor and self.has_focus else None
        return self.strip(pieces, style=style)

    def _summary(self, event: RollbackEvent) -> Iterator[Piece]:
        mark, faint = rollback_mark(event), self.look("line--faint")
        tone = self.look(f"tone--{mark.tone}")
        now = self._clock()
        yield f" {mark.glyph} ", tone
        yield f"{clock(event.created_at, now)} #{event.run_id} ", faint
        yield _route(event), self.look("line--strong")
        yield f" {event.trigger_type}", faint
        yield f" {mark.word}", tone
        seconds = elapsed_s(event.started_at, event.completed_at, now)
        took = "" if seconds is None else f" {duration(seconds)}"
        yield took, faint

    def _reason(self, event: RollbackEvent) -> Iterator[Piece]:
        actor = visible(event.instigator)
        reason = f": {visible(event.reason)}" if event.reason else ""
        yield f"   by {actor}{reason}", self.look("line--faint")
        if event.error_message:
            yield f"  ✗ {visible(event.error_message)}", self.look("tone--bad")


def _route(event: RollbackEvent) -> str:
    route = f"{event.failed_stage_name} {ARROW} {event.rollback_to_stage}"
    return visible(f"{route} ({event.narrowing})" if event.narrowing else route)
