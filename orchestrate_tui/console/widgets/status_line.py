"""The line below the top one: what may be done here, who drives and who watches."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widgets import Static

from orchestrate_tui.console.styled import joined


class StatusLine(Static):
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
        self.display = bool(text.plain)
        self.update(text)
