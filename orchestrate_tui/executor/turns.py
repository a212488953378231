"""The turns of one run: handle what happened, commit what follows from it, then act on it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.mailbox import Mailbox
from orchestrate_tui.executor.requests import Request
from orchestrate_tui.executor.turn import Turn


class Turns:
    """One turn after the other; `present` collects what is being decided.

    `tasks` is where what is done after a turn runs; it is set before the first turn ends.
    """

    def __init__(self, executor: ExecutorContext, run_id: int) -> None:
        self._executor = executor
        self._run_id = run_id
        self._mailbox = Mailbox()
        self._requests: list[Request] = []
        self._ended = anyio.Event()
        self.present = Turn(run_id, executor.epoch)
        self._moment: datetime | None = None
        self.tasks: TaskGroup

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be handled."""
        return self._mailbox.is_empty

    def moment(self) -> datetime:
        """When the present turn decides: all of it at once."""
        if self._moment is None:
            self._moment = self._executor.clock()
        return self._moment

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` made at the beginning of the next turn."""
        self._mailbox.post(call)

    def post_request(self, request: Request, serve: Callable[[], None]) -> None:
        """Have a request served in a turn in which nothing was decided before it."""
        self._requests.append(request)
        self._mailbox.post_request(serve)

    def refuse_requests(self, error: OrchestrateError) -> None:
        """Refuse what was asked and not answered: there are no more turns."""
        for request in self._requests:
            if not request.is_answered:
                request.fail(error)

    def afterwards(
        self, task: Callable[..., Coroutine[Any, Any, None]], *arguments: object
    ) -> None:
        """Start a task once the present turn is committed."""
        self.present.afterwards.append(partial(self._begin, task, *arguments))

    def post_afterwards(self, call: Callable[[], None]) -> None:
        """Post `call` once the present turn is committed."""
        self.present.afterwards.append(partial(self.post, call))

    def wait(self, scope: anyio.CancelScope, seconds: float, then: Callable[[], None]) -> None:
        """Post `then` so long after the present turn, unless `scope` is cancelled before."""
        self.afterwards(self._sleep, scope, seconds, then)

    def handle(self) -> None:
        """Handle what was posted."""
        self._mailbox.handle()

    async def end(self) -> None:
        """Commit what was decided, and act on it."""
        turn, self.present = self.present, Turn(self._run_id, self._executor.epoch)
        self._moment = None
        if not turn.is_empty:
            await self._executor.commit(turn.apply)
            self._executor.publish(turn.told())
        for act in turn.afterwards:
            act()
        self._ended.set()
        self._ended = anyio.Event()

    async def next(self) -> None:
        """Wait for something to handle, and handle it."""
        await self._mailbox.wait()
        self._mailbox.handle()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for the end of a turn after which it holds."""
        while not holds():
            await self._ended.wait()

    def _begin(self, task: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        self.tasks.start_soon(task, *arguments)

    async def _sleep(
        self, scope: anyio.CancelScope, seconds: float, then: Callable[[], None]
    ) -> None:
        with scope:
            await anyio.sleep(seconds)
            self.post(then)
