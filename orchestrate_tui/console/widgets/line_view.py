"""The base of every widget here that draws its own lines: tones, pieces of text, a cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import ClassVar, NamedTuple, Self

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.css.styles import RenderStyles
from textual.dom import DOMNode
from textual.events import Click
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from orchestrate_tui.console.widgets.kept_lines import MOST_KEPT, KeptCells, KeptLines
from orchestrate_tui.console.widgets.settled import Settled

Piece = tuple[str, Style]
"""A text that is safe to show, and how."""


class Picture(NamedTuple):
    """What the lines of one picture have in common; to find it out takes as long as a line.

    `base` is what they stand on, `left` how far they are scrolled sideways. Of `width` cells
    the scrollbar leaves `room`.
    """

    base: Style
    left: int
    width: int
    room: int


class SideBar(Settled, ScrollBar):
    """A scrollbar that draws anew only what it has not drawn before."""

    def __init__(self, *, vertical: bool, name: str, thickness: int) -> None:
        super().__init__(vertical=vertical, name=name, thickness=thickness)
        self._styles_cache = KeptCells()


class LineView(ScrollView, can_focus=True):
    """Draws line by line, so that its cost depends on what is visible and on nothing else."""

    DEFAULT_CSS = """
    LineView {
        scrollbar-size: 1 1;
        & > .tone--quiet { color: $text-muted; }
        & > .tone--active { color: $text-primary; text-style: bold; }
        & > .tone--attention { color: $text-warning; text-style: bold; }
        & > .tone--good { color: $text-success; }
        & > .tone--bad { color: $text-error; text-style: bold; }
        & > .tone--undone { color: $text-secondary; }
        & > .line--faint { color: $text-muted; }
        & > .line--strong { text-style: bold; }
        & > .line--found { background: $warning; color: $background; }
        & > .line--cursor { background: $surface-lighten-2; }
        &:focus > .line--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
    }
    """

    _picture: Picture | None = None

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._styles_cache = self._drawn = KeptLines()

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scrollbar beside the lines, made when it is first asked for."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = SideBar(
                vertical=True, name="vertical", thickness=self.scrollbar_size_vertical
            )
            self._vertical_scrollbar.display = False
            self.app._start_widget(self, self._vertical_scrollbar)  # noqa: SLF001  (as Textual does)
        return self._vertical_scrollbar

    def render_lines(self, crop: Region) -> list[Strip]:
        """The visible lines; what they have in common is found once for each picture."""
        with self._one_picture():
            return super().render_lines(crop)

    def refresh_changed(self) -> None:
        """Have those lines drawn anew that are no longer what is shown."""
        with self._one_picture():
            width = self.picture.width
            lines = range(self.content_region.height)
            changed = [y for y in lines if not self._drawn.shows(y, self.render_line(y))]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Have it drawn anew; see Textual.

        What was found out about styles holds on where only regions are asked for: with other
        styles, its own or those of what it stands in, all of it is.
        """
        found, self._rich_style_cache = self._rich_style_cache, {}
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        if regions:
            self._rich_style_cache = found
        return self

    @contextmanager
    def _one_picture(self) -> Iterator[None]:
        self._picture = self.picture
        self._looks.clear()
        try:
            yield
        finally:
            self._picture = None

    @property
    def picture(self) -> Picture:
        """What the lines have in common that are drawn now."""
        if self._picture is not None:
            return self._picture
        content = self.content_region
        room = content.shrink(self.scrollbar_gutter).width
        return Picture(self.rich_style, self.scroll_offset.x, content.width, room)

    @cached_property
    def _looks(self) -> dict[str, Style]:
        return {}

    def get_component_styles(self, *names: str) -> RenderStyles:
        """The styles of component classes, each found out when it is first drawn with."""
        for name in names:
            if name not in self._component_styles:
                part = DOMNode(classes=name)
                part._attach(self)  # noqa: SLF001  (as Textual does it for all of them)
                self.app.stylesheet.apply(part)
                self._component_styles[name] = part.styles
        return super().get_component_styles(*names)

    def notify_style_update(self) -> None:
        """Draw anew with the styles that hold now."""
        super().notify_style_update()
        self._component_styles.clear()
        self.refresh()

    def look(self, name: str) -> Style:
        """The colour and weight of a component class, to lay over any background."""
        found = self._looks.get(name)
        if found is None:
            found = self._looks[name] = _look(self.get_component_rich_style(name))
        return found

    @property
    def may_move(self) -> bool:
        """Whether spinners turn; TEXTUAL_ANIMATIONS=none keeps them still."""
        return self.app.animation_level != "none"

    def ground(self, name: str) -> Style:
        """What a component class sets, its background too; it wins over every look.

        Without colours it is reversed text.
        """
        if self.app.no_color:
            return Style(reverse=True)
        return self.get_component_rich_style(name, partial=True)

    def strip(self, pieces: Iterable[Piece], *, style: Style | None = None) -> Strip:
        """One visible line, scrolled sideways and filled up in `style`."""
        base, left, width, _ = self.picture
        return _strip(tuple(pieces), base, style, left, width)


@lru_cache(128)
def _look(style: Style) -> Style:
    return Style(color=style.color, bold=style.bold, underline=style.underline)


@lru_cache(MOST_KEPT)
def _strip(
    pieces: tuple[Piece, ...], base: Style, style: Style | None, left: int, width: int
) -> Strip:
    over = style or Style.null()
    line = Strip([Segment(text, base + look + over) for text, look in pieces])
    if not left and line.cell_length == width:
        return line  # which crop_extend would make part of a cycle
    return line.crop_extend(left, left + width, base + over)


class RowView(LineView):
    """A `LineView` with a cursor that stands on one of its rows, each `ROW_LINES` lines high."""

    ROW_LINES: ClassVar[int] = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move_page(-1)", "Page up", show=False),
        Binding("pagedown", "move_page(1)", "Page down", show=False),
        Binding("home,g", "move_to(0)", "First", show=False),
        Binding("end,G", "move_to(-1)", "Last", show=False),
    ]

    cursor = 0

    @property
    def row_count(self) -> int:
        """How many rows there are to stand on."""
        raise NotImplementedError

    def row_chosen(self) -> None:
        """Tell that the cursor came to another row."""
        raise NotImplementedError

    def keep_room(self) -> None:
        """Have room for a scrollbar that the first picture would be found to need."""
        if not self.size:
            self.show_vertical_scrollbar = self.virtual_size.height >= self.app.size.height

    def place_cursor(self, row: int) -> None:
        """Put the cursor on a row, or the nearest one, without telling anybody."""
        row = max(0, min(row, self.row_count - 1))
        if row != self.cursor:
            self._refresh_row(self.cursor)
            self.cursor = row
        self._refresh_row(row)
        self._show_cursor()

    def _refresh_row(self, row: int) -> None:
        self.refresh_lines(row * self.ROW_LINES, self.ROW_LINES)

    def _show_cursor(self) -> None:
        first, height = self.cursor * self.ROW_LINES, self.ROW_LINES
        top, room = self.scroll_offset.y, self.scrollable_content_region.height
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif first + height > top + room:
            self.scroll_to(y=first + height - room, animate=False, force=True)

    def _move_cursor(self, row: int) -> None:
        before = self.cursor
        self.place_cursor(row)
        if self.cursor != before:
            self.row_chosen()

    def on_click(self, event: Click) -> None:
        """Move the cursor to the row that was clicked."""
        place = event.get_content_offset(self)
        if place is not None:
            self._move_cursor((place.y + self.scroll_offset.y) // self.ROW_LINES)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._move_cursor(self.cursor + rows)

    def action_move_page(self, pages: int) -> None:
        """Move the cursor by what is visible."""
        room = self.scrollable_content_region.height // self.ROW_LINES
        self._move_cursor(self.cursor + pages * max(room - 1, 1))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to the first row or (-1) to the last."""
        self._move_cursor(row if row >= 0 else self.row_count - 1)
