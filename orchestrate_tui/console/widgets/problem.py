"""What stands in the way, where something is asked for."""

from __future__ import annotations

from textual.widgets import Static

from orchestrate_tui.console.styled import plain


class Problem(Static):
    """Takes no room while there is none."""

    DEFAULT_CSS = """
    Problem { color: $text-error; }
    """

    def on_mount(self) -> None:
        """Begin with none."""
        self.tell("")

    def tell(self, text: str) -> None:
        """Show a problem; "" is none."""
        self.update(plain(text))
        self.display = bool(text)
