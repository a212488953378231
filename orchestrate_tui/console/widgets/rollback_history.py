"""Every rollback: when, of which run, from which stage to which, why, by whom and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from orchestrate_tui.console.durations import Clock, clock, duration, elapsed_s
from orchestrate_tui.console.marks import ARROW, rollback_mark
from orchestrate_tui.console.text import visible
from orchestrate_tui.console.widgets.line_view import Piece
from orchestrate_tui.console.widgets.paged_rows import PagedRows
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import ENDED_ROLLBACKS


class RollbackHistory(PagedRows[RollbackEvent]):
    """What each rollback was, and its reason and error; `show` gives it what to read."""

    EMPTY = "No rollbacks"
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
        super().__init__(lambda _before: (), id=id, clock=clock)

    def tick(self) -> None:
        """Draw the time anew of what is not ended."""
        if any(event.status not in ENDED_ROLLBACKS for event in self.rows):
            self.refresh()

    def tell_chosen(self) -> None:
        """Tell which rollback is meant now."""
        self.post_message(self.RollbackChosen())

    def action_open(self) -> None:
        """Tell that the steps are wanted."""
        if self.current is not None and self.current.id is not None:
            self.post_message(self.RollbackOpened(self.current.id))

    def pieces(self, row: RollbackEvent, line: int) -> Iterator[Piece]:
        """What it was, then why."""
        return self._reason(row) if line else self._summary(row)

    def _summary(self, event: RollbackEvent) -> Iterator[Piece]:
        mark, faint = rollback_mark(event), self.look("line--faint")
        tone = self.look(f"tone--{mark.tone}")
        now = self.clock()
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
