"""What the executor has to say of itself, such as that a run was taken from it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widgets import Static

from orchestrate_tui.console.styled import plain


class Banner(Static):
    """The last warning, until it is put away."""

    DEFAULT_CSS = """
    Banner {
        height: auto;
        max-height: 3;
        padding: 0 1;
        background: $error;
        color: $text;
        text-style: bold;
        display: none;
    }
    """

    def warn(self, sentences: Iterable[str]) -> None:
        """Show the last one of these, if there is any."""
        for sentence in sentences:
            self.update(plain(f"{sentence}  [Esc: put away]"))
            self.display = True

    def put_away(self) -> None:
        """Show nothing any more."""
        self.display = False
