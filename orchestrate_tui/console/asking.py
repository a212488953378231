"""Waiting for the executor's thread without taking hold of what it does."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SOON_S = 2.0
"""An executor answers sooner, if nothing is wrong with it."""

NO_ANSWER_YET = "There is no answer yet, it is waited for"


def beside(find: Callable[[], T]) -> Future[T]:
    """What is found out in a thread that nobody waits for who leaves meanwhile.

    For those of asyncio.to_thread the event loop waits at its end, and the interpreter too.
    """
    found: Future[T] = Future()

    def work() -> None:
        try:
            found.set_result(find())
        except BaseException as error:  # noqa: BLE001  (whoever waits for it is told)
            found.set_exception(error)

    Thread(target=work, name="beside", daemon=True).start()
    return found


async def outcome(future: Future[T], late: Callable[[str], object] | None = None) -> T:
    """The result of a future of another thread; raises what it raised.

    `late` is told when there is none soon; None is nobody, for what may take its time.

    Unlike with asyncio.wrap_future, to stop waiting does not cancel the future: the console may
    end at any moment, what it has asked for goes on.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell(_: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(tell)
    timer = loop.call_later(SOON_S, late, NO_ANSWER_YET) if late else None
    try:
        await done.wait()
    finally:
        if timer is not None:
            timer.cancel()
    return future.result()
