"""Which processes belong to a session, as /proc shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio

_PROC = Path("/proc")
_ENDED_STATES = frozenset(b"ZX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A running process of a session, and its process group."""

    pid: int
    group: int


def members(session: int) -> tuple[Member, ...]:
    """The processes that run in `session`; those that only wait to be reaped do not count."""
    found = (_member(pid, session) for pid in _pids())
    return tuple(member for member in found if member is not None)


async def wait_until_empty(session: int) -> None:
    """Wait until nothing runs in `session`, however often its processes fork."""
    while present := members(session):
        for member in present:
            await _wait_for(member.pid, session)


def _pids() -> Iterator[int]:
    with os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def _member(pid: int, session: int) -> Member | None:
    """The process `pid` if it runs in `session`; proc(5) tells the order of the fields."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:  # ended meanwhile, or hidden from this user
        return None
    state, _, group, its_session = stat.rpartition(b")")[2].split(maxsplit=4)[:4]
    if int(its_session) != session or state[0] in _ENDED_STATES:
        return None
    return Member(pid=pid, group=int(group))


async def _wait_for(pid: int, session: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _member(pid, session):  # not another process that got the number meanwhile
            await anyio.wait_readable(pidfd)
    finally:
        os.close(pidfd)
