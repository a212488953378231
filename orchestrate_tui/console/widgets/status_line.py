"""The line below the top one: what may be done here, who drives and who watches."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from orchestrate_tui.console.styled import joined
from orchestrate_tui.console.widgets.told_line import ToldLine


class StatusLine(ToldLine):
    """One line, which is only there while there is something to tell."""

    DEFAULT_CSS = """
    StatusLine {
        height: 1;
        padding: 0 1;
        background: $panel;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        display: none;
    }
    """

    def show(self, parts: Iterable[Content]) -> None:
        """Tell the parts that are not empty."""
        text = joined(parts)
        if self.display != bool(text.plain):
            self.display = bool(text.plain)
        self.tell(text)
