"""Making sure, before a run is taken over, that its owner does not just start something for it.

An owner checks that a run is its own, and then starts a process for it. One that was stopped
between the two would start it when it goes on, although the run is not its own any more.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from orchestrate_tui.agents.leftovers import is_stopped, working
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.fencing import read_owner
from orchestrate_tui.store.locks import try_hold

TRIES = 50
TRY_INTERVAL_S = 0.02

Attempts = Mapping[str, int]
"""What runs of a run: the idempotency key of each stage or undo, and its attempt."""


@asynccontextmanager
async def standstill(
    executor: ExecutorContext, owner: int | None, running: Attempts
) -> AsyncIterator[None]:
    """During the block the executor of that epoch starts nothing for the run.

    Raises Refused when it might.
    """
    path = executor.database.files.starting_lock(owner or 0)
    try:
        descriptor = await _held_soon(path)
        if descriptor is None:
            _check_started(executor, owner, running)
    except FileNotFoundError:  # that executor has ended, perhaps in this moment
        descriptor = None
    if descriptor is None:
        yield
        return
    try:
        yield
    finally:
        os.close(descriptor)


async def _held_soon(path: Path) -> int | None:
    """The lock, with some patience for an executor that starts something just now.

    Raises FileNotFoundError when there is no such executor any more.
    """
    for _ in range(TRIES):
        if (descriptor := try_hold(path)) is not None:
            return descriptor
        await anyio.sleep(TRY_INTERVAL_S)
    return None


def _check_started(executor: ExecutorContext, owner: int | None, running: Attempts) -> None:
    """Raise Refused unless the owner stands still and everything of the run has its process."""
    who = executor.database.read(partial(read_owner, epoch=owner))
    if who is not None and is_stopped(who.pid) and working(running) == running.keys():
        return
    raise Refused(
        f"The executor of {who} is about to start something, or waits for the answer to a"
        " request: that cannot be taken from it",
        next_step=f"Try again; if it stays so, end it first: kill -9 {who.pid if who else ''}",
    )
