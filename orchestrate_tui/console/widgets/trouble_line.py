"""The line at the very top while something keeps work from going on, such as a full disk."""

from __future__ import annotations

from textual.widgets import Static

from orchestrate_tui.console.styled import plain


class TroubleLine(Static):
    """Says what is wrong for as long as it is; nothing puts it away before."""

    DEFAULT_CSS = """
    TroubleLine {
        height: auto;
        max-height: 3;
        padding: 0 1;
        background: $error;
        color: $text;
        text-style: bold;
        display: none;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._trouble = ""

    def show(self, trouble: str) -> None:
        """Say what is wrong; "" is nothing."""
        if trouble != self._trouble:
            self._trouble = trouble
            self.update(plain(f"{trouble}. Nothing new starts; it goes on by itself"))
            self.display = bool(trouble)
