"""A line of a form: what is asked for, and where to type it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label

from orchestrate_tui.console.styled import plain


class Field(Horizontal):
    """A label with an input beside it, which has the `id` of the field; None for none.

    `hint` stands in the input while it is empty.
    """

    DEFAULT_CSS = """
    Field { height: 1; }
    Field > Label { width: 16; color: $text-muted; }
    """

    def __init__(self, label: str, hint: str, id: str | None = None, value: str = "") -> None:  # noqa: A002
        super().__init__()
        self._label = label
        self._input = Input(value, placeholder=hint, id=id, compact=True)

    def compose(self) -> ComposeResult:
        """The label, then the input."""
        yield Label(plain(self._label))
        yield self._input
