"""What the executor has to say of itself, such as that a run was taken from it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widgets import Static

from orchestrate_tui.console.styled import lines, plain

MOST_SHOWN = 3
"""Of several warnings the last so many, one to a line."""


class Banner(Static):
    """The last warnings, until they are put away."""

    DEFAULT_CSS = """
    Banner {
        height: auto;
        max-height: 6;
        padding: 0 1;
        background: $error;
        color: $text;
        text-style: bold;
        display: none;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._warnings: list[str] = []

    def warn(self, sentences: Iterable[str]) -> None:
        """Show these too, if there are any."""
        if new := list(sentences):
            self._warnings = [*self._warnings, *new][-MOST_SHOWN:]
            *others, last = map(plain, self._warnings)
            self.update(lines([*others, last + plain("  [Esc: put away]")]))
            self.display = True

    def put_away(self) -> None:
        """Show nothing any more."""
        self._warnings = []
        self.display = False
