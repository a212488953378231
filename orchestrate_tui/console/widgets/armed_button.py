"""A button that takes no press in its first moments, so that type-ahead cannot press it."""

from __future__ import annotations

from textual.widgets import Button

ARMED_AFTER_S = 0.5


class ArmedButton(Button):
    """Enabled only after it was visible for `ARMED_AFTER_S`, and while `allow` says so."""

    def __init__(self, label: str, *, id: str | None = None, is_allowed: bool = True) -> None:  # noqa: A002
        super().__init__(label, variant="error", id=id, disabled=True, compact=True)
        self._is_armed = False
        self._is_allowed = is_allowed

    def on_mount(self) -> None:
        """Begin to wait."""
        self.set_timer(ARMED_AFTER_S, self._arm)

    def allow(self, *, is_allowed: bool) -> None:
        """Say whether pressing makes sense now."""
        self._is_allowed = is_allowed
        self.disabled = not (self._is_armed and is_allowed)

    def _arm(self) -> None:
        self._is_armed = True
        self.allow(is_allowed=self._is_allowed)
