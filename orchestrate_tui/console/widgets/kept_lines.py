"""What a line looks like with what its widget's styles put around it, kept by what is in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from textual._styles_cache import StylesCache
from textual.strip import Strip

if TYPE_CHECKING:
    from rich.segment import Segment
    from textual.geometry import Region, Size
    from textual.widget import Widget

MOST_KEPT = 256
"""How many lines are kept; more than a screen has."""


class KeptLines(StylesCache):
    """Textual's cache of drawn lines, which also knows a line again that comes to another place.

    A strip keeps how it is filtered, cut and written. In a list that is scrolled every line but
    one has all of that already, when its content is the same strip as before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[int, tuple[Strip, Strip]] = {}
        self._edges: tuple[list[Segment], list[Segment]] | None = None
        self._shown: dict[int, Strip] = {}
        self._rows = range(0)

    def shows(self, row: int, content: Strip) -> bool:
        """Whether that is what was drawn last in a row of the content."""
        return self._shown.get(row) is content

    def clear(self) -> None:
        """Forget everything: the styles may be others."""
        super().clear()
        self._kept.clear()
        self._edges = None
        self._shown.clear()

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        """Those lines of a widget that are in `crop`."""
        top = widget.gutter.top
        self._rows = range(top, top + widget.content_region.height)
        return super().render_widget(widget, crop)

    def render_line(  # noqa: PLR0917  (Textual's way)
        self,
        styles: Any,
        y: int,
        size: Any,
        content_size: Any,
        padding: Any,
        base_background: Any,
        background: Any,
        render_content_line: Callable[[int], Strip],
        *more: Any,
    ) -> Strip:
        """One line of the widget; the same strip again when its content is."""

        def drawn(content_line: Callable[[int], Strip]) -> Strip:
            around = (styles, y, size, content_size, padding, base_background, background)
            return super(KeptLines, self).render_line(*around, content_line, *more)

        if y not in self._rows:
            return drawn(render_content_line)
        row = y - self._rows.start
        content = self._shown[row] = render_content_line(row)
        if id(content) not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[id(content)] = content, self._framed(content, drawn, size, content_size)
        return self._kept[id(content)][1]

    def _framed(
        self, content: Strip, drawn: Callable[..., Strip], size: Size, content_size: Size
    ) -> Strip:
        """A line with its edges, which are found in the first one that was drawn."""
        if content.cell_length != content_size.width:
            return drawn(lambda _: content)
        if self._edges is not None:
            left, right = self._edges
            return Strip([*left, *content, *right], size.width)
        line = drawn(lambda _: content)
        self._edges = _edges(line, content)
        return line


def _edges(line: Strip, content: Strip) -> tuple[list[Segment], list[Segment]] | None:
    """What stands left and right of the content of a line; None where that itself was changed."""
    whole, inner = list(line), list(content)
    for start in range(len(whole) - len(inner) + 1):
        end = start + len(inner)
        if all(one is other for one, other in zip(whole[start:end], inner, strict=True)):
            return whole[:start], whole[end:]
    return None


class KeptCells(KeptLines):
    """The same for a scrollbar, which makes a strip for each of its cells whenever it moves."""

    def __init__(self) -> None:
        super().__init__()
        self._colours: tuple[Any, ...] = ()

    def clear(self) -> None:
        """Forget what was drawn where, but not what a cell looks like."""
        StylesCache.clear(self)

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        """Those lines of a widget that are in `crop`."""
        colours = (*widget.background_colors, widget.opacity, widget.styles.tint, widget.size.width)
        if colours != self._colours:
            self._colours = colours
            super().clear()
        return super().render_widget(widget, crop)

    def render_line(self, *before: Any) -> Strip:
        """One line of the widget; the same strip again when its content looks the same."""
        *given, render_content_line = before[:8]
        return super().render_line(
            *given, lambda row: _alike(tuple(render_content_line(row))), *before[8:]
        )


@lru_cache(64)
def _alike(segments: tuple[Segment, ...]) -> Strip:
    return Strip(segments)
