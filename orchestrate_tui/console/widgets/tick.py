"""A checkbox that shows its state by a sign and not by a colour."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Checkbox

OFF, ON = " ", "✓"


class Tick(Checkbox):
    """Reads `▐✓▌` when it is set and `▐ ▌` when it is not. Space turns it; Enter goes on."""

    BUTTON_INNER = OFF
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_button", "Tick", show=False),
        Binding("enter", "go_on", "Next", show=False),
    ]

    class Passed(Message):
        """The operator goes on and leaves it as it is."""

    def watch_value(self) -> None:
        """Show and tell the new state."""
        self.BUTTON_INNER = ON if self.value else OFF
        super().watch_value()

    def action_go_on(self) -> None:
        """Tell that what comes next is wanted."""
        self.post_message(self.Passed())
