"""The end of processes that fork and end all the time: whoever looks for them comes too late.

They take all the time there is, so what is done before they stand still has to be quick: nothing
is asked about any of them until then.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress

from orchestrate_tui.stagehost import trees
from orchestrate_tui.stagehost.boot import boot_clock

_LONGEST_S = 0.05
_QUIET_S = 0.002
_PAUSE_S = 0.001
_LONGEST_END_S = 0.5
_LOOKS = 10
_QUIET_LOOKS = 3


def kill_all(
    known: Callable[[], Collection[int]], reap: Callable[[], None], is_over: Callable[[], bool]
) -> None:
    """Kill what was left to this process, and what that leaves in turn, until nothing is left.

    What is `known` is left alone; `is_over` tells whether nothing more can be left by it. Nothing
    is reaped, which takes longer than to kill, while there is more to kill.
    """
    until = boot_clock() + _LONGEST_END_S
    killed, others, quiet = frozenset[int](), set[int](), 0
    while (left := trees.children().difference(known(), others)) or not is_over():
        for pid in left - killed:
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:  # it has become another user's
                others.add(pid)
        if boot_clock() > until:
            return
        quiet = quiet + 1 if left <= killed else 0
        if quiet:
            time.sleep(_PAUSE_S)
        if quiet > _QUIET_LOOKS:
            reap()
            left &= trees.children()  # the others' numbers may be given to new processes
        killed = left


@contextmanager
def standstill(
    known: Callable[[], Collection[int]], reap: Callable[[], None], until_s: float = math.inf
) -> Iterator[frozenset[int] | None]:
    """Stop what was left to this process, and the children of that, while the block lasts.

    What is `known` is left alone, and what `reap` reaps is not signalled any more. The block is
    given the processes that are woken after it; None when they do not come to a standstill until
    `until_s`, on the clock of the boot.
    """
    seen = fresh = frozenset[int]()
    with ExitStack() as stopped:
        children: set[int] = set()
        for _ in range(_LOOKS):
            reap()
            fresh = trees.children().difference(known(), seen)
            _send_each(fresh, signal.SIGSTOP)
            for pid in fresh:
                if boot_clock() > until_s:
                    break
                children |= {one for one in trees.children(pid) if _stop(one, pid, stopped)}
            seen |= fresh
            if not fresh or boot_clock() > until_s:
                break
        try:
            yield None if fresh else seen | children
        finally:
            _send_each(trees.children() & seen, signal.SIGCONT)


def _send_each(pids: Collection[int], number: int) -> None:
    """Signal children of this process: their numbers are their own until they are reaped."""
    for pid in pids:
        with suppress(PermissionError):  # it has become another user's
            os.kill(pid, number)


def _stop(pid: int, parent: int, stopped: ExitStack) -> bool:
    """Stop another one's child until the end, if it is no other process that got its number."""
    with suppress(OSError):  # ended, another user's, or no descriptor is free
        pidfd = os.pidfd_open(pid)
        stopped.callback(os.close, pidfd)
        if trees.parent_of(pid) == parent:
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
            stopped.callback(_wake, pidfd)
            return True
    return False


def _wake(pidfd: int) -> None:
    with suppress(OSError):
        signal.pidfd_send_signal(pidfd, signal.SIGCONT)


def hunt(
    owns: Callable[[int], bool],
    strangers: Callable[[], Collection[int]],
    reap: Callable[[], None],
) -> None:
    """Kill what of a tree is left to this process, until nothing new is for a moment.

    When one of these processes ends, the next becomes a child of this process. Its children are
    few, and quickly looked through. None can be taken for another: its number stays its own until
    it is reaped here. `owns` tells whether one is of the tree; it is stopped while that is found
    out. `strangers` are known not to be, or are killed by others.
    """
    seen: frozenset[int] = frozenset()
    now = boot_clock()
    until, quiet_until = now + _LONGEST_S, now + _QUIET_S
    while now < min(until, quiet_until):
        reap()
        present = trees.children().difference(strangers())
        for pid in present - seen:
            with suppress(PermissionError):  # it has become another user's
                os.kill(pid, signal.SIGSTOP)
                is_its = owns(pid)
                os.kill(pid, signal.SIGKILL if is_its else signal.SIGCONT)
                quiet_until = now + _QUIET_S if is_its else quiet_until
        seen, now = present, boot_clock()
