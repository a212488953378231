"""The end of processes that fork and end all the time: whoever looks for them comes too late."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress

from orchestrate_tui.stagehost import trees
from orchestrate_tui.stagehost.boot import boot_clock

_LONGEST_S = 0.05
_QUIET_S = 0.002


def hunt(owns: Callable[[int], bool], strangers: Collection[int], reap: Callable[[], None]) -> None:
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
        present = trees.children().difference(strangers)
        for pid in present - seen:
            with suppress(PermissionError):  # it has become another user's
                os.kill(pid, signal.SIGSTOP)
                is_its = owns(pid)
                os.kill(pid, signal.SIGKILL if is_its else signal.SIGCONT)
                quiet_until = now + _QUIET_S if is_its else quiet_until
        seen, now = present, boot_clock()
