"""Rows of which there may be very many, newest first; further ones are read as they are reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from textual.geometry import Size
from textual.strip import Strip

from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.text import cell_width, shortened
from orchestrate_tui.console.widgets.line_view import Piece, RowView
from orchestrate_tui.domain.moments import utc_now


class Numbered(Protocol):
    """What such a row tells of."""

    @property
    def id(self) -> int | None:
        """Its number; later ones have greater ones."""
        ...


N = TypeVar("N", bound=Numbered)
Fetch = Callable[[int | None], Sequence[N]]
"""Those before an id (None: the newest), newest first; none when there are no more."""


class PagedRows(RowView, Generic[N]):
    """Two lines for each of those that `fetch` reads."""

    ROW_LINES = 2
    EMPTY: ClassVar[str]
    """What stands there while there are none."""

    def __init__(self, fetch: Fetch[N], *, id: str | None = None, clock: Clock = utc_now) -> None:  # noqa: A002
        super().__init__(id=id)
        self.rows: list[N] = []
        self.clock = clock
        self._fetch = fetch
        self._is_complete = False

    def pieces(self, row: N, line: int) -> Iterator[Piece]:
        """What stands in the first (0) or the second line of a row."""
        raise NotImplementedError

    def tell_chosen(self) -> None:
        """Tell that the cursor came to another row, or that this one changed."""

    @property
    def row_count(self) -> int:
        """Those that are known so far."""
        return len(self.rows)

    @property
    def current(self) -> N | None:
        """The one under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def show(self, fetch: Fetch[N]) -> None:
        """Show others."""
        self._fetch = fetch
        self.rows, self.cursor = [], 0
        self.scroll_to(y=0, animate=False, force=True)
        self.update_rows()

    def update_rows(self) -> None:
        """Read again what is there; the cursor stays where it is, unless at the very top."""
        current, wanted = self.current, len(self.rows)
        self.rows = list(self._fetch(None))
        self._is_complete = False
        while self.rows and len(self.rows) < wanted and not self._is_complete:
            self._read_on()
        ids = [row.id for row in self.rows]
        if current is not None and self.cursor and current.id in ids:
            self.cursor = ids.index(current.id)
        self.cursor = min(self.cursor, max(self.row_count - 1, 0))
        self._measure()
        self.tell_chosen()

    def row_chosen(self) -> None:
        """Read further back when the cursor comes to the end, and tell where it is."""
        if self.cursor == self.row_count - 1 and not self._is_complete:
            self._read_on()
            self._measure()
        self.tell_chosen()

    def _read_on(self) -> None:
        more = self._fetch(self.rows[-1].id)
        self._is_complete = not more
        self.rows.extend(more)

    def _measure(self) -> None:
        self.virtual_size = Size(0, self.row_count * self.ROW_LINES)
        self.keep_room()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        place, line = divmod(y + self.scroll_offset.y, self.ROW_LINES)
        if place >= self.row_count:
            empty = self.EMPTY if place == line == 0 else ""
            return self.strip([(f" {empty}", self.look("line--faint"))])
        style = self.ground("line--cursor") if place == self.cursor and self.has_focus else None
        pieces = _fitting(list(self.pieces(self.rows[place], line)), self.picture.room)
        return self.strip(pieces, style=style)


def _fitting(pieces: Sequence[Piece], room: int) -> Iterator[Piece]:
    """As much of a line as there is room for; an ellipsis says that there is more."""
    is_too_long = sum(cell_width(text) for text, _ in pieces) > room
    for text, look in pieces:
        if is_too_long and cell_width(text) >= room:
            yield shortened(f"{text} ", room), look
            return
        yield text, look
        room -= cell_width(text)
