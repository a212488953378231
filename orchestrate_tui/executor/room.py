"""Room on the disk for what stages write: without it none is started, for it would only fail."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import TypeVar

import anyio

from orchestrate_tui.agents.log import has_room
from orchestrate_tui.store.trouble import Trouble, TroubleMark
from orchestrate_tui.values import dataclass

T = TypeVar("T")

LOOK_INTERVAL_S = 0.2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class Room:
    """The free space where logs lie; `trouble` says what is waited for, "" is nothing.

    `mark` tells other processes the same. `full_at_s` is when there was no room last, as far as
    anybody looked, by the monotonic clock; 0 is never.
    """

    folder: Path
    mark: TroubleMark
    trouble: str = ""
    full_at_s: float = 0.0
    _waiting: int = 0

    def look(self) -> bool:
        """Whether there is room now."""
        if has_room(self.folder):
            return True
        self.full_at_s = monotonic()
        return False

    def was_full_since(self, moment_s: float) -> bool:
        """Whether there is no room now, or was none at a look since then."""
        return not self.look() or self.full_at_s > moment_s

    async def start(self, start: Callable[[], Awaitable[T]]) -> T:
        """Make a call that starts something, as soon as there is room for it.

        A call that finds the disk full has started nothing and is made again. Raises what the
        call raises otherwise.
        """
        while True:
            await self.wait()
            try:
                return await start()
            except OSError as error:
                if error.errno not in _FULL:
                    raise
            async with self._waited_for():
                await anyio.sleep(LOOK_INTERVAL_S)

    async def wait(self) -> None:
        """Wait until there is room; at once when there is."""
        while not self.look():
            async with self._waited_for():
                await anyio.sleep(LOOK_INTERVAL_S)

    @asynccontextmanager
    async def _waited_for(self) -> AsyncIterator[None]:
        self._waiting += 1
        self.trouble = f"The disk is full: there is no room for logs in {self.folder}"
        self.mark.set(Trouble.NO_ROOM_FOR_LOGS)
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.trouble = ""
                self.mark.clear(Trouble.NO_ROOM_FOR_LOGS)
