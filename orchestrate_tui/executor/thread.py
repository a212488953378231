"""A thread with an event loop of its own, in which an executor lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from functools import partial
from threading import Lock, Thread
from typing import Any, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.seldom import load_seldom

T = TypeVar("T")
_Opened = tuple[BlockingPortal, PipelineExecutor]

_LOOK_INTERVAL_S = 0.1


class ExecutorThread:
    """Makes calls in the executor's loop for other threads.

    What works on runs is waited for before the thread ends; what only asks is given up. The
    executor is closed when nothing runs in its loop any more. `meanwhile` is called again and again
    until it is there; what that raises, or Ctrl-C, leaves it to close itself.
    """

    def __init__(
        self, make: Callable[[], PipelineExecutor], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        opened: Future[_Opened] = Future()
        self._work: set[Future[Any]] = set()
        self._asks: set[Future[Any]] = set()
        self._lock = Lock()
        self._thread = Thread(target=_live, args=(make, opened), name="executor")
        self._thread.start()
        self._portal, self.executor = _once_open(opened, meanwhile)

    def ask(self, call: Callable[[], Awaitable[T]]) -> Future[T]:
        """Make a call that is given up when its future is cancelled."""
        return self._start(call, self._asks)

    def work(self, call: Callable[[], Awaitable[T]]) -> Future[T]:
        """Make a call that goes on whatever becomes of who waits for it."""
        answer: Future[T] = begun_future()
        self._start(call, self._work).add_done_callback(partial(_pass_on, answer))
        return answer

    def wait(self) -> None:
        """Wait until nothing is worked on any more."""
        while waiting := self._under_way(self._work):
            wait(waiting)

    def close(self) -> None:
        """Wait for what is worked on, and end the thread; a second call does nothing."""
        if not self._thread.is_alive():
            return
        self.wait()
        for ask in self._under_way(self._asks):
            ask.cancel()
        self._portal.call(self._portal.stop)
        self._thread.join()

    def _start(self, call: Callable[[], Awaitable[T]], under_way: set[Future[Any]]) -> Future[T]:
        future = self._portal.start_task_soon(call)
        with self._lock:
            under_way.add(future)

        def forget(_: Future[T]) -> None:
            with self._lock:
                under_way.discard(future)

        future.add_done_callback(forget)
        return future

    def _under_way(self, calls: set[Future[Any]]) -> tuple[Future[Any], ...]:
        with self._lock:
            return tuple(calls)


def _once_open(opened: Future[_Opened], meanwhile: Callable[[], None]) -> _Opened:
    try:
        while not wait([opened], _LOOK_INTERVAL_S).done:
            meanwhile()
    except BaseException:
        if not opened.cancel() and opened.exception() is None:
            portal, _ = opened.result()
            portal.call(portal.stop)
        raise
    return opened.result()


def begun_future() -> Future[Any]:
    """A future that who waits for it cannot cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _pass_on(answer: Future[T], ended: Future[T]) -> None:
    error = ended.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(ended.result())


def _live(
    make: Callable[[], PipelineExecutor],
    opened: Future[_Opened],
) -> None:
    async def live() -> None:
        async with (
            make() as executor,
            anyio.create_task_group() as tasks,
            BlockingPortal() as portal,
        ):
            try:
                opened.set_result((portal, executor))
            except InvalidStateError:  # nobody waits for it any more
                return
            tasks.start_soon(load_seldom)
            await portal.sleep_until_stopped()
            tasks.cancel_scope.cancel()

    try:
        anyio.run(live)
    except BaseException as error:
        if opened.done() and not opened.cancelled():
            raise
        with suppress(InvalidStateError):
            opened.set_exception(error)
