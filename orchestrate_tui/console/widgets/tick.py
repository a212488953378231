"""A checkbox that shows its state by a sign and not by a colour."""

from __future__ import annotations

from textual.widgets import Checkbox

OFF, ON = " ", "✓"


class Tick(Checkbox):
    """Reads `▐✓▌` when it is set and `▐ ▌` when it is not."""

    BUTTON_INNER = OFF

    def watch_value(self) -> None:
        """Show and tell the new state."""
        self.BUTTON_INNER = ON if self.value else OFF
        super().watch_value()
