"""The log of one attempt; it follows what is written until the operator scrolls up.

Its colours are shown, as far as `sgr` lets them count.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar

from rich.color import Color
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from orchestrate_tui.console.log_file import LogFile
from orchestrate_tui.console.log_search import LogSearch
from orchestrate_tui.console.log_text import pieces_of, plain_text_of
from orchestrate_tui.console.sgr import Colour, Look, Rgb, legible, rgb
from orchestrate_tui.console.text import cell_width, visible
from orchestrate_tui.console.widgets.line_view import LineView, Piece

AHEAD = 100
"""Lines that are read around the visible ones."""


class LogView(LineView):
    """Shows a file line by line; `follow_file` gives it one, `catch_up` looks for more."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left,h", "scroll_left", "Left", show=False),
        Binding("right,l", "scroll_right", "Right", show=False),
        Binding("home,g", "scroll_home", "Start", show=False),
        Binding("end,G", "scroll_end", "End", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.is_following = True
        self.empty_text = ""
        self._log: LogFile | None = None
        self._lines: list[bytes] = []
        self._first = 0
        self._widest = 0
        self._found: int | None = None

    @property
    def path(self) -> Path | None:
        """The file that is shown."""
        return self._log.path if self._log else None

    @property
    def line_count(self) -> int:
        """The lines that are known so far."""
        return self._log.line_count if self._log else 0

    @property
    def _instead(self) -> str:
        """What stands there while there are no lines."""
        return (self._log.trouble if self._log else "") or self.empty_text

    def follow_file(self, path: Path | None, empty_text: str = "") -> None:
        """Show a file from its end, or none; `empty_text` stands there while it has no lines."""
        before, self.empty_text = self._instead, empty_text
        if path == self.path and path is not None:
            if self._instead != before:
                self.refresh()
            return
        had_lines = self.line_count
        self._log = LogFile(path) if path else None
        self._found, self._widest, self._lines = None, 0, []
        self.is_following = True
        if self._log is not None:
            self._log.catch_up()
        if had_lines or self.line_count or self._instead != before:
            self.scroll_to(x=0, y=0, animate=False, force=True)
            self.is_following = True
            self._forget()

    def catch_up(self) -> None:
        """Take over what was written since."""
        before, told = self._log.prepended if self._log else 0, self._instead
        if self._log is not None and self._log.catch_up():
            self._forget(max(self._log.prepended - before, 0))
        elif self._instead != told:
            self.refresh()

    def _forget(self, prepended: int = 0) -> None:
        """Read the visible lines again, at the end of the file while following.

        `prepended` lines became known before those that were; at the very start it stays there.
        """
        follows = self.is_following
        self._lines = []
        self._found = None if self._found is None else self._found + prepended
        self._measure()
        if follows:
            self.scroll_to(y=self.line_count, animate=False, force=True)
            self.is_following = True
        elif prepended and self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + prepended, animate=False, force=True)
        self.refresh()

    def _measure(self) -> None:
        self.virtual_size = Size(self._widest, self.line_count)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow as long as the last line is in view."""
        super().watch_scroll_y(old_value, new_value)
        self.is_following = new_value >= self.max_scroll_y

    def on_resize(self) -> None:
        """Keep the end in view, as it does from now on if there is room for it now."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if self.is_following or self.scroll_y >= self.max_scroll_y:
            self._follow()

    def _follow(self) -> None:
        self.is_following = True
        self._forget()

    def action_scroll_end(self) -> None:
        """Go to the end and follow, even where everything is in view already."""
        self._follow()

    async def search(self, text: str, *, forward: bool = True) -> bool:
        """Go to the next line that contains `text`, from the last found one or what is visible."""
        log = self._log
        if log is None or not text:
            return False
        step = 1 if forward else -1
        start = self.scroll_offset.y if self._found is None else self._found + step
        search = LogSearch(log.path, text)
        look = partial(search.find, log.place(start), log.size_bytes, forward=forward)
        try:
            place = await asyncio.to_thread(look)
        finally:
            search.stop()
        while place is not None and place < log.unknown_bytes and self._log is log:
            self.catch_up()
            await asyncio.sleep(0)
        line = None if place is None or self._log is not log else log.line_at(place)
        if line is None:
            return False
        self._show_found(line)
        return True

    def _show_found(self, line: int) -> None:
        self._found = line
        self.is_following = False
        self.scroll_to(y=max(line - self.size.height // 2, 0), animate=False, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        number = y + self.scroll_offset.y
        if number >= self.line_count:
            text = self._instead if number == 0 else ""
            return self.strip([(f" {visible(text)}", self.look("line--faint"))])
        line = self._line(number)
        if number == self._found:
            return self.strip([(plain_text_of(line), self.ground("line--found"))])
        return self.strip(self._coloured(line))

    def _coloured(self, line: bytes) -> list[Piece]:
        behind = self.rich_style.bgcolor
        triplet = behind.triplet if behind else None
        return [(text, _style(look, triplet)) for text, look in pieces_of(line)]

    def _line(self, number: int) -> bytes:
        if not self._first <= number < self._first + len(self._lines):
            self._first = max(number - AHEAD, 0)
            count = self.size.height + 2 * AHEAD
            self._lines = self._log.raw_lines(self._first, count) if self._log else []
            self._widen()
        place = number - self._first
        return self._lines[place] if place < len(self._lines) else b""

    def _widen(self) -> None:
        """Make room for the widest line seen; later, because this is found while drawing."""
        widest = max((cell_width(plain_text_of(line)) for line in self._lines), default=0)
        if widest > self._widest:
            self._widest = widest
            self.call_later(self._measure)


@lru_cache(512)
def _style(look: Look, screen: Rgb | None) -> Style:
    look = legible(look, screen)
    return Style(
        color=_colour(look.text),
        bgcolor=_colour(look.ground),
        bold=look.bold or None,
        dim=look.dim or None,
        italic=look.italic or None,
        underline=look.underline or None,
        reverse=look.reverse or None,
    )


def _colour(colour: Colour | None) -> Color | None:
    return None if colour is None else Color.from_rgb(*rgb(colour))
