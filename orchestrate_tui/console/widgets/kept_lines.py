"""What a line looks like with what its widget's styles put around it, kept by what is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual._styles_cache import StylesCache

if TYPE_CHECKING:
    from textual.geometry import Region
    from textual.strip import Strip
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
        self._shown: dict[int, Strip] = {}
        self._rows = range(0)

    def shows(self, row: int, content: Strip) -> bool:
        """Whether that is what was drawn last in a row of the content."""
        return self._shown.get(row) is content

    def clear(self) -> None:
        """Forget everything: the styles may be others."""
        super().clear()
        self._kept.clear()
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
            self._kept[id(content)] = content, drawn(lambda _: content)
        return self._kept[id(content)][1]
