"""Process trees: what a stage started, directly or not, wherever it went.

Sessions, process groups and parents can all be left behind: a double fork and setsid do it, and
`env -i` takes away every variable. Limits of resources stay: each stage is started with a limit of
its own on the processor time of real-time scheduling, so high that nothing ever reaches it, and
everything that descends from the stage shows it in /proc/PID/limits. What changes its limits is
known by a variable of the environment it was started with; what hides both, by the process above
it. Only of an orphan that hides both, and was left to the host, the host has to say whose it is.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

_PROC = "/proc"
_ENDED_STATES = b"ZX"
_THREADS = 17
"""Which field of a process's state, from the state itself on, tells how many threads it has."""

_BEGAN = 19
"""Which one tells when it began, in ticks."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PIECE = 1 << 16
_LIMIT_NAME = b"Max realtime timeout"
_MARK_BASE = 1 << 60  # microseconds: 36,000 years
_MARK_COUNT = 1 << 24
_LOOKS = 20


class Marks:
    """The marks of one host; those of other processes differ."""

    def __init__(self) -> None:
        self._base = _MARK_BASE + os.getpid() * _MARK_COUNT
        self._count = 0

    def next(self) -> int:
        """A mark that no other stage has."""
        self._count = (self._count + 1) % _MARK_COUNT
        return self._base + self._count


@contextmanager
def marked(mark: int) -> Iterator[bool]:
    """Give what is started within the block a mark; whether the system let us."""
    usual = resource.getrlimit(resource.RLIMIT_RTTIME)
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, usual[1]))
    except (OSError, ValueError):  # somebody set a limit lower than any mark
        yield False
        return
    try:
        yield True
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, usual)


class Tree:
    """What one program started, with the program itself at its head.

    `mark` None means that it could not be marked, and is known by its session. `variable` is an
    entry of the environment that only it has, b"" for none. With `keeps_services`, what left the
    session of the head does not belong to it. `orphans` are children of this very process that
    belong to it though nothing about them says so.
    """

    __slots__ = ("head", "keeps_services", "mark", "orphans", "variable")

    def __init__(
        self, head: int, mark: int | None, *, variable: bytes = b"", keeps_services: bool = False
    ) -> None:
        self.head, self.mark, self.variable = head, mark, variable
        self.keeps_services = keeps_services
        self.orphans: set[int] = set()

    def members(self) -> list[int]:
        """The processes of it that run; those that only wait to be reaped do not count.

        What forks and ends all the time is gone when it is looked at, but it was there when the
        list was made: so whatever is new in the next list is looked at until nothing is.
        """
        seen: set[int] = set()
        strangers: set[int] = set()
        found: list[int] = []
        for _ in range(_LOOKS):
            fresh = [pid for pid in _pids() if pid not in seen]
            if not fresh:
                break
            seen.update(fresh)
            found += (pid for pid in fresh if self.has(pid, strangers))
        return found

    def kept(self) -> list[tuple[int, str]]:
        """The services that it leaves and that are kept, each with its name; none elsewhere."""
        if not self.keeps_services or self.mark is None:
            return []
        whole = Tree(self.head, self.mark, variable=self.variable)
        return [(pid, _name(pid)) for pid in whole.members() if not self.has(pid)]

    def has(self, pid: int, strangers: set[int] | None = None) -> bool:
        """Whether `pid` runs and belongs to it.

        `strangers` are known not to be, nor what is below them, and those that are met are added:
        who looks at many climbs a long line of others once, and not again from each of them.
        """
        met = set() if strangers is None else strangers
        if self.mark is not None and not (self._is_marked(pid) or self._descends(pid, met)):
            return False
        session = self.head if self.keeps_services or self.mark is None else None
        return runs(pid, session)

    def _is_marked(self, pid: int) -> bool:
        found = mark_of(pid)
        if found is not None and found >= _MARK_BASE:
            return found == self.mark
        return bool(self.variable) and self.variable in environment_of(pid)

    def _descends(self, pid: int, strangers: set[int]) -> bool:
        """Whether what stands at the top of a process's line, below this one, belongs to it."""
        line, parent = [pid], parent_of(pid)
        while parent and parent != os.getpid() and parent not in strangers:
            line.append(parent)
            parent = parent_of(parent)
        if parent is None:  # one of them has ended: the others are below another one by now
            return False
        top = line[-1]
        is_its = parent == os.getpid() and (
            top == self.head or top in self.orphans or (top != pid and self._is_marked(top))
        )
        if not is_its:
            strangers.update(line)
        return is_its

    def _is_of_a_run_within(self, pid: int) -> bool:
        """Whether another host started it, for a run that a stage has begun."""
        found = mark_of(pid)
        return self.mark is not None and found is not None and _MARK_BASE <= found != self.mark

    def send(
        self, number: int, asleep: Collection[int] = (), *, longest_s: float = math.inf
    ) -> bool:
        """Signal all of it, or what of it is found within `longest_s`; SIGKILL takes its time.

        Returns False when that was over before its head had its turn.
        Of a run that a stage has begun, the executor ends the stages; only SIGKILL is for all.
        What gets SIGKILL is stopped first, until nothing new appears: it cannot fork any more
        then. What gets another signal is woken, should it be stopped; what is `asleep` is woken by
        others. No signal reaches a stranger that got the number of an ended process.
        """
        if number == signal.SIGKILL:
            self._kill()
            return True
        has_met_head = False
        strangers: set[int] = set()
        until_s = time.monotonic() + longest_s
        for pid in _pids():
            if time.monotonic() > until_s:
                return has_met_head
            has_met_head = has_met_head or pid == self.head
            if self.has(pid, strangers) and not self._is_of_a_run_within(pid):
                self._send(pid, number, *(() if pid in asleep else (signal.SIGCONT,)))
        return True

    def _kill(self) -> None:
        if self.head in children():  # then its number is its own, and all its group stops at once
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.head, signal.SIGSTOP)
        seen: set[int] = set()
        stopped: list[int] = []
        for _ in range(_LOOKS):
            fresh = [pid for pid in _pids() if pid not in seen]
            seen.update(fresh)
            strangers: set[int] = set()
            found = [pid for pid in fresh if self._send(pid, signal.SIGSTOP, strangers=strangers)]
            stopped += found
            if not found:
                break
        for pid in stopped:
            self._send(pid, signal.SIGKILL)

    def _send(self, pid: int, *numbers: int, strangers: set[int] | None = None) -> bool:
        """Signal a process if it belongs to the tree; whether it does."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:  # ended, or no descriptor is left
            return False
        try:
            if not self.has(pid, strangers):  # or its number was given to another process meanwhile
                return False
            for number in numbers:
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(pidfd, number)
            return True
        finally:
            os.close(pidfd)


def children(parent: int | None = None) -> frozenset[int]:
    """The children of a process, or of this one; ended ones that wait to be reaped included.

    Those that its first thread has started or inherited, where it has several. Of another process
    that has ended, there are none.
    """
    pid = parent or os.getpid()
    try:
        return frozenset(map(int, _read(f"{_PROC}/{pid}/task/{pid}/children").split()))
    except OSError:  # a kernel without that file
        return frozenset() if parent else frozenset(one for one in _pids() if parent_of(one) == pid)


def _pids() -> Iterator[int]:
    with os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def mark_of(pid: int) -> int | None:
    """The mark of a process; None without one."""
    try:
        _, found, rest = _read(f"{_PROC}/{pid}/limits").partition(_LIMIT_NAME)
    except OSError:  # ended meanwhile
        return None
    value = rest.split(maxsplit=1)[0] if found else b""
    return int(value) if value.isdigit() else None


def environment_of(pid: int) -> list[bytes]:
    """The entries of the environment that a process was started with; [] if that is hidden."""
    try:
        return _read(f"{_PROC}/{pid}/environ").split(b"\0")
    except OSError:
        return _environment_of_threads(pid) if _has_lost_its_first_thread(pid) else []


def _has_lost_its_first_thread(pid: int) -> bool:
    """Whether others go on; what /proc has of the process is then root's, and says nothing."""
    fields = _stat(pid)
    return bool(fields) and fields[0] in _ENDED_STATES and int(fields[_THREADS]) > 1


def _environment_of_threads(pid: int) -> list[bytes]:
    with suppress(OSError):
        for thread in os.listdir(f"{_PROC}/{pid}/task"):
            with suppress(ProcessLookupError, PermissionError):
                return _read(f"{_PROC}/{pid}/task/{thread}/environ").split(b"\0")
    return []


def _name(pid: int) -> str:
    """What a process calls itself; "" when it has ended."""
    try:
        return _read(f"{_PROC}/{pid}/comm").decode(errors="replace").removesuffix("\n")
    except OSError:
        return ""


def runs(pid: int, session: int | None = None) -> bool:
    """Whether a process has not ended, and is of that session, or of any (None).

    One of which only the first thread has ended looks as if all of it had.
    """
    fields = _stat(pid)
    return (
        bool(fields)
        and (fields[0] not in _ENDED_STATES or int(fields[_THREADS]) > 1)
        and (session is None or int(fields[3]) == session)
    )


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped and does nothing until it is told to go on."""
    return _stat(pid)[:1] in ([b"T"], [b"t"])


def began_before_s(pid: int) -> float:
    """A moment before which a process began, on the clock of the boot; infinity without it."""
    fields = _stat(pid, _BEGAN)
    return (int(fields[_BEGAN]) + 1) / _TICKS_PER_S if fields else math.inf


def parent_of(pid: int) -> int | None:
    """The process that started it or inherited it; None when it has ended and was reaped."""
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _stat(pid: int, last: int = _THREADS) -> list[bytes]:
    """State, parent, group, session, … of a process, as proc(5) orders them; [] without it."""
    try:
        return _read(f"{_PROC}/{pid}/stat").rpartition(b")")[2].split(maxsplit=last + 1)
    except OSError:
        return []


def _read(path: str) -> bytes:
    """All of a file of /proc; a third of the time that open() takes. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = piece = os.read(descriptor, _PIECE)
        while piece:
            content += (piece := os.read(descriptor, _PIECE))
        return content
    finally:
        os.close(descriptor)
