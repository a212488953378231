"""A line for what may be done here, who drives and who watches."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from orchestrate_tui.console.styled import joined
from orchestrate_tui.console.widgets.told_line import PassingLine


class StatusLine(PassingLine):
    """One line of several parts."""

    DEFAULT_CSS = """
    StatusLine {
        height: 1;
        background: $panel;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def show(self, parts: Iterable[Content]) -> None:
        """Tell the parts that are not empty."""
        self.tell(joined(parts))
