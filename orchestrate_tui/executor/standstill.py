"""Making sure, before a run is taken over, that its owner does not just start something for it.

An owner checks that a run is its own, and then starts a process for it. One that was stopped
between the two would start it when it goes on, although the run is not its own any more.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from orchestrate_tui.agents.leftovers import working
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.stagehost.trees import is_stopped
from orchestrate_tui.store.attendance import holder_of, named
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.fencing import Owner, read_owner
from orchestrate_tui.store.locks import try_hold
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.processes import user_of
from orchestrate_tui.store.workplaces import workplace

TRIES = 50
TRY_INTERVAL_S = 0.02

Attempts = Mapping[str, int]
"""What runs of a run: the idempotency key of each stage or undo, and its attempt."""


@asynccontextmanager
async def standstill(
    executor: ExecutorContext, owner: int | None, running: Attempts, *, is_forced: bool = False
) -> AsyncIterator[None]:
    """During the block the executor of that epoch starts nothing for the run.

    Raises Refused when it might, and when it lives although its lock is not held, unless what it
    works on here is taken by force.
    """
    check_gone(executor, owner, is_forced=is_forced)
    path = executor.database.files.starting_lock(owner or 0)
    try:
        descriptor = await _held_soon(path)
        if descriptor is None:
            _check_started(executor, owner, running, holder_of(path))
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


def check_gone(executor: ExecutorContext, owner: int | None, *, is_forced: bool) -> None:
    """Raise Refused when the owner lives without a lock: removed, or that of another database."""
    files = executor.database.files
    if owner is None or is_alive(files, owner):
        return
    who = executor.database.read(partial(read_owner, epoch=owner))
    place = workplace(files, who)
    if place == files.database and not is_forced:
        raise Refused(
            f"{who} still works on it: only the lock of that executor was removed",
            next_step="If that process hangs, take it over with:"
            " orchestrate-tui resume RUN --take-over --reason TEXT",
        )
    if who is not None and place is not None and place != files.database:
        raise _works_elsewhere(files, who, place)


def _works_elsewhere(files: StoreFiles, owner: Owner, place: Path) -> Refused:
    """What somebody is told who wants to go on in a copy with what its original works on."""
    pid, there = owner.pid, f"there, with --db {shlex.quote(str(place))}"
    how, step = "", f"Ask {there}; if that process hangs, end it first: kill -9 {pid}"
    if is_stopped(pid):
        how = ", but was stopped"
        step = f"Let it go on (kill -CONT {pid}) and ask {there}; or end it first: kill -9 {pid}"
    return Refused(
        f"{owner} still works on it, at {place}{how}: {files.database} is a copy of that database",
        next_step=step,
    )


def _check_started(
    executor: ExecutorContext, owner: int | None, running: Attempts, pid: int | None
) -> None:
    """Raise Refused unless the owner stands still and everything of the run has its process.

    `pid` is the process that keeps others from the lock, as it is numbered here; None where it
    cannot be seen.
    """
    files = executor.database.files
    known = executor.database.read(partial(read_owner, epoch=owner))
    if pid is not None and not _is_owner(files, known, pid):
        raise _being_taken(pid)
    if pid is not None and is_stopped(pid) and working(running) == running.keys():
        return
    who = named(files, known)
    how = "that process, which cannot be seen from here" if pid is None else f"kill -9 {pid}"
    raise Refused(
        f"The executor of {who} is about to start something, or waits for the answer to a"
        " request: that cannot be taken from it",
        next_step=f"Try again; if it stays so, end it first: {how}",
    )


def _is_owner(files: StoreFiles, owner: Owner | None, pid: int) -> bool:
    """Whether a process that holds a lock of an executor is that one, not who takes from it."""
    return owner is not None and pid in {owner.pid, holder_of(files.owner_lock(owner.epoch))}


def _being_taken(pid: int) -> Refused:
    """What somebody is told who wants what another process is just taking."""
    how, remedy = "", "end it first"
    if is_stopped(pid):
        how, remedy = ", but was stopped", f"let it go on (kill -CONT {pid}), or end it"
    return Refused(
        f"Process {pid} of {user_of(pid)} is taking something over from the same executor{how}",
        next_step=f"Try again; if it stays so, {remedy}: kill -9 {pid}",
    )
