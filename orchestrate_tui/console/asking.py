"""Waiting for the executor's thread without taking hold of what it does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


async def outcome(future: Future[T]) -> T:
    """The result of a future of another thread; raises what it raised.

    Unlike with asyncio.wrap_future, to stop waiting does not cancel the future: the console may
    end at any moment, what it has asked for goes on.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell(_: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(tell)
    await done.wait()
    return future.result()
