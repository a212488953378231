"""Processes that a dead executor left: they still do work that is about to be done again."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio

from orchestrate_tui.stagehost.trees import environment_of
from orchestrate_tui.values import dataclass

_PROC = Path("/proc")
KEY_VARIABLE = "ORCHESTRATE_IDEMPOTENCY_KEY"
"""The environment variable by which the processes of some work are known."""

_MARK = KEY_VARIABLE.encode() + b"="
_ATTEMPT = b"ORCHESTRATE_ATTEMPT="
_OUTPUT = b"ORCHESTRATE_OUTPUT="
_KILL_PATIENCE_S = 5.0


async def end_leftovers(
    idempotency_keys: Collection[str], grace_s: float, folder: Path | None = None
) -> int:
    """End the processes that work under one of these keys; returns how many there were.

    They are known by the key in the environment they were started with. They get SIGTERM, and
    after `grace_s` SIGKILL. Those of other users cannot be seen. With the `folder` in which a run
    has its logs those are left alone that have theirs in another one: their run has the same keys
    because its database is the original of this one, or a copy.
    """
    wanted = _Wanted(frozenset(_MARK + key.encode() for key in idempotency_keys), folder)
    ended = await _signal(wanted, signal.SIGTERM, grace_s)
    await _signal(wanted, signal.SIGKILL, _KILL_PATIENCE_S)
    return ended


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which processes are meant."""

    marks: frozenset[bytes]
    folder: Path | None

    def has(self, pid: int) -> bool:
        """Whether a process is one of them."""
        variables = _environment(pid)
        return not self.marks.isdisjoint(variables) and not self._is_elsewhere(variables)

    def _is_elsewhere(self, variables: frozenset[bytes]) -> bool:
        if self.folder is None:
            return False
        outputs = (one for one in variables if one.startswith(_OUTPUT))
        files = [Path(os.fsdecode(one.removeprefix(_OUTPUT))) for one in outputs]
        with suppress(OSError):  # a folder that is gone has another name by now
            return any(not file.parent.samefile(self.folder) for file in files)
        return False


def working(attempts: Mapping[str, int]) -> frozenset[str]:
    """Those keys under which a process works on that very attempt."""
    found = set()
    for pid in _pids():
        variables = _environment(pid)
        for key, attempt in attempts.items():
            if variables >= {_MARK + key.encode(), _ATTEMPT + str(attempt).encode()}:
                found.add(key)
    return frozenset(found)


async def _signal(wanted: _Wanted, number: signal.Signals, patience_s: float) -> int:
    """Signal every process that is wanted and wait for their ends, at most so long."""
    with ExitStack() as opened:
        found = []
        for pid in filter(wanted.has, _pids()):
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            opened.callback(os.close, pidfd)
            if wanted.has(pid):  # not another process that got the number meanwhile
                with suppress(ProcessLookupError):  # it has ended since
                    signal.pidfd_send_signal(pidfd, number)
                    found.append(pidfd)
        with anyio.move_on_after(patience_s):
            for pidfd in found:
                await anyio.wait_readable(pidfd)
    return len(found)


def _pids() -> Iterator[int]:
    with os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def _environment(pid: int) -> frozenset[bytes]:
    return frozenset(environment_of(pid))
