"""Whose a process is, since when and on which terminal, as /proc shows it to everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from orchestrate_tui.domain.presence import Person
from orchestrate_tui.store.accounts import name_of
from orchestrate_tui.values import dataclass

_PROC = Path("/proc")
_MOST_ANCESTORS = 64
_TERMINAL_MAJORS = range(136, 144)
"""The device numbers of pseudo-terminals; a real one has 4."""


@dataclass(frozen=True, slots=True)
class _Stat:
    """What proc_pid_stat(5) tells; `started` counts the kernel's ticks since the machine did."""

    command: str
    parent: int
    terminal: int
    started: int


def describe(pid: int, *, is_console: bool, epochs: frozenset[int]) -> Person:
    """The process; what this user may not see of it stays empty."""
    stat = _stat(pid)
    return Person(
        pid=pid,
        user=user_of(pid),
        terminal=_terminal(stat.terminal) if stat else "",
        is_remote=any(name.startswith("sshd") for name in _ancestors(stat)),
        since=_moment(stat.started) if stat else None,
        is_console=is_console,
        epochs=epochs,
    )


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:  # ended meanwhile, or hidden from this user
        return None
    before, _, after = text.rpartition(")")
    fields = after.split()
    return _Stat(
        command=before.partition("(")[2],
        parent=int(fields[1]),
        terminal=int(fields[4]),
        started=int(fields[19]),
    )


def program_of(pid: int) -> str:
    """The name of the program that the process is; "" when it is hidden."""
    stat = _stat(pid)
    return stat.command if stat else ""


def user_of(pid: int) -> str:
    """The name of the process's real user, the number where it has none; "" when hidden."""
    try:
        status = (_PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return ""
    return name_of(int(status.partition("\nUid:")[2].split(maxsplit=1)[0]))


def told_process(pid: int | None) -> str:
    """A process for people, such as `Process 12 of anna`; None is one that is hidden."""
    if pid is None:
        return "A process that cannot be seen from here"
    user = user_of(pid)
    return f"Process {pid} of {user}" if user else f"Process {pid}"


def _terminal(number: int) -> str:
    """The terminal of a device number as the kernel packs it; "" for none."""
    major, minor = (number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00)
    if major in _TERMINAL_MAJORS:
        return f"pts/{minor + 256 * (major - _TERMINAL_MAJORS.start)}"
    return f"tty{minor}" if major == 4 else ""


def _ancestors(stat: _Stat | None) -> Iterator[str]:
    """The names of the programs from which a process descends."""
    for _ in range(_MOST_ANCESTORS):
        stat = _stat(stat.parent) if stat and stat.parent else None
        if stat is None:
            return
        yield stat.command


def _moment(ticks: int) -> datetime:
    return datetime.fromtimestamp(_boot_time() + ticks / os.sysconf("SC_CLK_TCK"), UTC)


@cache
def _boot_time() -> int:
    """When the machine was started, in seconds since 1970; only to be shown."""
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    return 0
