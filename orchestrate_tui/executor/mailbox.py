"""What happened and is not handled yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio

Call = Callable[[], None]


class Mailbox:
    """Holds calls until the one who handles them is ready; belongs to one event loop."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._requests: deque[Call] = deque()
        self._came = anyio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._calls and not self._requests

    def post(self, call: Call) -> None:
        """Have `call` made by the one who handles the mail."""
        self._calls.append(call)
        self._came.set()

    def post_request(self, call: Call) -> None:
        """Have `call` made when everything that was decided before it is committed."""
        self._requests.append(call)
        self._came.set()

    async def wait(self) -> None:
        """Wait until something was posted."""
        await self._came.wait()

    def handle(self) -> None:
        """Make the first request, then all the calls, in the order in which they were posted.

        What they decide is to be committed before the next time.
        """
        if self._requests:
            self._requests.popleft()()
        while self._calls:
            self._calls.popleft()()
        if not self._requests:
            self._came = anyio.Event()
