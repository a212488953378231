"""A button that takes no press in its first moments, so that type-ahead cannot press it."""

from __future__ import annotations

import math
from time import monotonic

from textual.events import Click, Key
from textual.message import Message
from textual.widgets import Button

ARMED_AFTER_S = 0.5
_PRESSING = frozenset({"enter"})


class ArmedButton(Button):
    """Takes a press only if that was typed when it had been on the screen for `ARMED_AFTER_S`.

    It is enabled while `allow` says so, also before: the keys that lead to it do so however early
    they come, and do not lead to what is beside it.
    """

    DEFAULT_CSS = """
    ArmedButton.-unarmed { opacity: 50%; }
    ArmedButton:ansi.-unarmed { opacity: 100%; text-style: bold dim; }
    """

    class PressedTooSoon(Message):
        """Somebody pressed what they cannot have seen."""

    def __init__(self, label: str, *, id: str | None = None, is_allowed: bool = True) -> None:  # noqa: A002
        super().__init__(
            label,
            variant="error",
            id=id,
            disabled=not is_allowed,
            compact=True,
            classes="-unarmed",
        )
        self._armed_at = math.inf

    @property
    def is_armed(self) -> bool:
        """Whether a press that is typed now counts, and the button looks so."""
        return not self.has_class("-unarmed")

    def on_mount(self) -> None:
        """Begin to wait once it is on the screen."""
        self.call_after_refresh(self._wait)

    def allow(self, *, is_allowed: bool) -> None:
        """Say whether pressing makes sense now."""
        self.disabled = not is_allowed

    def on_key(self, event: Key) -> None:
        """Take no Enter that was typed before the button could be seen."""
        if event.key in _PRESSING:
            self._check(event)

    def on_click(self, event: Click) -> None:
        """Take no click that was made before the button could be seen."""
        self._check(event)

    def _check(self, event: Key | Click) -> None:
        if event.time < self._armed_at:
            event.stop()
            event.prevent_default()
            self.post_message(self.PressedTooSoon())

    def _wait(self) -> None:
        self._armed_at = monotonic() + ARMED_AFTER_S
        self.set_timer(ARMED_AFTER_S, lambda: self.remove_class("-unarmed"))
