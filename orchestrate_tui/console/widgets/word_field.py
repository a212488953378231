"""A field in which a word has to be typed before something grave is done."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label

from orchestrate_tui.console.styled import plain


class WordField(Horizontal):
    """Asks for `word`; without one it asks for nothing, and is not there."""

    DEFAULT_CSS = """
    WordField { height: 1; }
    WordField > Label { width: auto; margin-right: 2; color: $text-warning; }
    """

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word
        self.display = bool(word)

    def compose(self) -> ComposeResult:
        """What to type, and where."""
        yield Label(plain(f"Type {self._word} to confirm"))
        yield Input(id="word", compact=True)

    @property
    def is_filled(self) -> bool:
        """Whether the word stands there, or none is asked for."""
        return not self._word or self.query_one(Input).value.strip() == self._word
