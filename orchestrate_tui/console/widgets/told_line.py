"""Texts of a line or two that are told again and again, and seldom differ."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from orchestrate_tui.console.widgets.settled import Settled


class ToldLine(Settled, Static):
    """Draws a text only when it is another one, and has the screen arranged only for its height."""

    def __init__(self) -> None:
        super().__init__()
        self._told = Content()

    def tell(self, text: Content) -> None:
        """Show a text."""
        before, self._told = self._told, text
        if not text.is_same(before):
            self.update(text, layout=self._height(text) != self._height(before))

    def _height(self, text: Content) -> int:
        """How many lines a text takes; 0 for none, and before there is room."""
        width = self.content_size.width
        return text.get_height(self.styles.get_rules(), width) if width and text.plain else 0


class PassingLine(ToldLine):
    """One that is only there while there is something to tell."""

    DEFAULT_CSS = """
    PassingLine { padding: 0 1; display: none; }
    """

    def tell(self, text: Content) -> None:
        """Show a text, or nothing."""
        if self.display != bool(text.plain):
            self.display = bool(text.plain)
        super().tell(text)


class Notice(PassingLine):
    """What nobody may overlook."""

    DEFAULT_CSS = """
    Notice {
        height: auto;
        background: $error;
        color: $text;
        text-style: bold;
    }
    """
