"""What the executor has to say of itself, such as that a run was taken from it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from orchestrate_tui.console.styled import lines, plain
from orchestrate_tui.console.widgets.told_line import Notice

MOST_SHOWN = 3
"""Of several warnings the last so many, one to a line."""


class Banner(Notice):
    """The last warnings, until they are put away."""

    DEFAULT_CSS = """
    Banner { max-height: 6; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._warnings: list[str] = []

    def warn(self, sentences: Iterable[str]) -> None:
        """Show these too, if there are any."""
        if new := list(sentences):
            self._warnings = [*self._warnings, *new][-MOST_SHOWN:]
            *others, last = map(plain, self._warnings)
            self.tell(lines([*others, last + plain("  [Esc: put away]")]))

    def put_away(self) -> None:
        """Show nothing any more."""
        self._warnings = []
        self.tell(Content())
