"""The palette of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandListItem, CommandPalette, SimpleProvider
from textual.message import Message
from textual.widgets import Button, Input, OptionList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.screen import Screen


class Commands(CommandPalette):
    """Carries one command out, however often it is chosen before the palette is gone.

    What was typed into it comes to nothing once it is closed: Textual's own goes on to search, asks
    for its list, which is gone already, and ends the console.
    """

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close; a second time it would close the screen below."""
        if not self.is_current:
            return AwaitComplete()
        self._stop_busy_countdown()
        self._stop_no_matches_countdown()
        return super().dismiss(result)

    def _watch__list_visible(self) -> None:
        if self.query(CommandList):
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        if self.query(CommandList):
            await super()._watch__show_busy()

    @on(Input.Changed)
    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    @on(Button.Pressed)
    def _ignore_when_closed(self, event: Message) -> None:
        if not self.is_current:
            event.stop()
            event.prevent_default()


def choice(screen: Screen[Any], offered: Sequence[CommandListItem], placeholder: str) -> Commands:
    """A palette of these commands alone, above a screen."""
    provider: Any = SimpleProvider(screen, [*offered])
    return Commands(providers=[provider], placeholder=placeholder)
