"""The line at the very top while something keeps work from going on, such as a full disk."""

from __future__ import annotations

from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.told_line import Notice


class TroubleLine(Notice):
    """Says what is wrong for as long as it is; nothing puts it away before."""

    DEFAULT_CSS = """
    TroubleLine { max-height: 3; }
    """

    def show(self, trouble: str) -> None:
        """Say what is wrong; "" is nothing."""
        said = f"{trouble}. Nothing new starts; it goes on by itself" if trouble else ""
        self.tell(plain(said))
