"""Processes that a dead executor left: they still do work that is about to be done again."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio

from orchestrate_tui.stagehost.trees import environment_of

_PROC = Path("/proc")
KEY_VARIABLE = "ORCHESTRATE_IDEMPOTENCY_KEY"
"""The environment variable by which the processes of some work are known."""

_MARK = KEY_VARIABLE.encode() + b"="
_ATTEMPT = b"ORCHESTRATE_ATTEMPT="
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


def working(attempts: Mapping[str, int]) -> frozenset[str]:
    """Those keys under which a process works on that very attempt."""
    found = set()
    for pid in _pids():
        variables = _environment(pid)
        for key, attempt in attempts.items():
            if variables >= {_MARK + key.encode(), _ATTEMPT + str(attempt).encode()}:
                found.add(key)
    return frozenset(found)


def is_stopped(pid: int) -> bool:
    """Whether the process was stopped and does nothing until it is told to go on."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] in {b"T", b"t"}


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
                with suppress(ProcessLookupError):  # it has ended since
                    signal.pidfd_send_signal(pidfd, number)
                    found.append(pidfd)
        with anyio.move_on_after(patience_s):
            for pidfd in found:
                await anyio.wait_readable(pidfd)
    return len(found)


def _marked(marks: frozenset[bytes]) -> Iterator[int]:
    return (pid for pid in _pids() if _has_mark(pid, marks))


def _pids() -> Iterator[int]:
    with os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def _has_mark(pid: int, marks: frozenset[bytes]) -> bool:
    return not marks.isdisjoint(_environment(pid))


def _environment(pid: int) -> frozenset[bytes]:
    return frozenset(environment_of(pid))
