"""The palette of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandListItem, CommandPalette, SimpleProvider
from textual.message import Message
from textual.widgets import Button, Input, OptionList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.screen import Screen


class Commands(CommandPalette):
    """Carries one command out, however often it is chosen before the palette is gone."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close; a second time it would close the screen below."""
        return super().dismiss(result) if self.is_current else AwaitComplete()

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
