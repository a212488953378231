"""Work that no cancellation of its caller breaks off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from orchestrate_tui.errors import OrchestrateError

T = TypeVar("T")


async def to_the_end(
    work: Callable[[], Awaitable[T]], when_cancelled: Callable[[], object] = lambda: None
) -> T:
    """Do `work` in a task of its own, to its end, and return its result.

    A cancellation, be it of a scope or of the asyncio task, calls `when_cancelled` and is raised
    when the work has ended. Raises what the work raised.
    """
    results: list[T] = []
    ended = anyio.Event()

    async def do() -> None:
        with anyio.CancelScope(shield=True):
            try:
                results.append(await work())
            finally:
                ended.set()

    with single_errors():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(do)
            try:
                await ended.wait()
            except anyio.get_cancelled_exc_class():
                when_cancelled()
                raise
    return results[0]


@contextmanager
def single_errors() -> Iterator[None]:
    """Raise the first of a group of errors by itself, one that an operator can read if any."""
    try:
        yield
    except BaseExceptionGroup as group:
        readable = group.subgroup(OrchestrateError) or group
        raise _first(readable) from group


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
