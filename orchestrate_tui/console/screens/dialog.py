"""What all dialogs share: a frame, Escape, buttons that the arrow keys reach."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A screen over the main one that answers with a `T`, or with None when it is left."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 60%;
    }

    Dialog > .frame {
        width: 90%;
        max-width: 100;
        height: auto;
        max-height: 100%;
        padding: 0 1;
        background: $surface;
        border: round $primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
    }

    Dialog .buttons {
        height: 1;
        margin-top: 1;
        align-horizontal: right;
    }

    Dialog .buttons Button {
        margin-left: 2;
        min-width: 12;
    }

    Dialog .buttons Button:focus {
        text-style: bold reverse;
    }

    Dialog .note {
        color: $text-muted;
    }

    Dialog .problem {
        color: $text-error;
    }

    Dialog .field {
        height: 1;
    }

    Dialog .field > Label {
        width: 16;
        color: $text-muted;
    }

    Dialog Input {
        width: 1fr;
        background: $boost;
    }

    Dialog Input:focus {
        background: $primary-muted;
    }

    Dialog OptionList {
        height: 5;
        border: none;
        padding: 0;
        background: $boost;
        scrollbar-size: 1 1;
    }

    Dialog OptionList:focus {
        border: none;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", priority=True),
    ]

    def action_leave(self) -> None:
        """Go back without an answer."""
        self.dismiss(None)
