"""Processes that a dead executor left: they still do work that is about to be done again."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio

_PROC = Path("/proc")
_MARK = b"ORCHESTRATE_IDEMPOTENCY_KEY="
_KILL_PATIENCE_S = 5.0


async def end_leftovers(idempotency_keys: Collection[str], grace_s: float) -> int:
    """End the processes that work under one of these keys; returns how many there were.

    They are known by the key in the environment they were started with. They get SIGTERM, and
    after `grace_s` SIGKILL. Those of other users cannot be seen.
    """
    marks = frozenset(_MARK + key.encode() for key in idempotency_keys)
    ended = await _signal(marks, signal.SIGTERM, grace_s)
    await _signal(marks, signal.SIGKILL, _KILL_PATIENCE_S)
    return ended


async def _signal(marks: frozenset[bytes], number: signal.Signals, patience_s: float) -> int:
    """Signal every marked process and wait for their ends, at most so long."""
    with ExitStack() as opened:
        found = []
        for pid in _marked(marks):
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            opened.callback(os.close, pidfd)
            if _has_mark(pid, marks):  # not another process that got the number meanwhile
                signal.pidfd_send_signal(pidfd, number)
                found.append(pidfd)
        with anyio.move_on_after(patience_s):
            for pidfd in found:
                await anyio.wait_readable(pidfd)
    return len(found)


def _marked(marks: frozenset[bytes]) -> Iterator[int]:
    with os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal() and _has_mark(int(entry.name), marks):
                yield int(entry.name)


def _has_mark(pid: int, marks: frozenset[bytes]) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:  # ended meanwhile, or somebody else's
        return False
    return not marks.isdisjoint(environment.split(b"\0"))
