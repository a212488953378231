"""Knowing when a key is dealt with, so that the next one goes where it was meant to go.

Textual hands each key to the widget that has the focus when the key arrives. Keys that arrive in
one burst, typed ahead or held up by a slow line, would all go to the same widget, although the
first of them moves the focus or opens a dialog.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from textual.app import App
from textual.message_pump import MessagePump

ROUNDS = 3
"""A key may post a message, which may open a screen, which sets the focus."""

ASKING_S = 1.0
"""How long the next key waits for what a screen has asked others for."""


@runtime_checkable
class Asking(Protocol):
    """A screen on which keys make sense once it was told what it has asked for."""

    async def caught_up(self) -> None:
        """Return once it was."""


async def settled(app: App[Any]) -> None:
    """Return once everybody from the focused widget up has worked off what waited for them."""
    for _ in range(ROUNDS):
        for node in _chain(app):
            done = asyncio.Event()
            if node.call_later(done.set):
                await done.wait()
        if app.screen_stack and isinstance(app.screen, Asking):
            with suppress(TimeoutError):
                await asyncio.wait_for(app.screen.caught_up(), ASKING_S)


def _chain(app: App[Any]) -> Iterator[MessagePump]:
    if app.screen_stack:
        yield from (app.focused or app.screen).ancestors_with_self
    else:
        yield app
