"""What happened and is not handled yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio


class Mailbox:
    """Holds calls until the one who handles them is ready; belongs to one event loop."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self._came = anyio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._calls

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` made by the one who handles the mail."""
        self._calls.append(call)
        self._came.set()

    async def handle(self) -> None:
        """Wait until something was posted, and make all the calls, in order."""
        await self._came.wait()
        self._came = anyio.Event()
        while self._calls:
            self._calls.popleft()()
