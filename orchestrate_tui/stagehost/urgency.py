"""Whether this process comes before all others: what forks all the time leaves it no time else."""

from __future__ import annotations

import os
from contextlib import suppress

_GROUP = "/proc/self/autogroup"
"""How nice the session of this process is to other sessions, where the kernel shares time so."""

_FIRST = -20


class Urgency:
    """Lets this process come before all others for a while, if it may.

    Not by a real-time policy: the end of a process may need time that others would not get then.
    """

    def __init__(self) -> None:
        self._usual: int | None = None

    def begin(self) -> None:
        """Come first from now on; so does what is started before the end."""
        if self._usual is not None:
            return
        usual = os.getpriority(os.PRIO_PROCESS, 0)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
            self._usual = usual
            _be_as_a_group(_FIRST)

    def end(self) -> None:
        """Take turns with the others again."""
        if self._usual is not None:
            os.setpriority(os.PRIO_PROCESS, 0, self._usual)
            _be_as_a_group(0)
            self._usual = None


def _be_as_a_group(niceness: int) -> None:
    with suppress(OSError):
        descriptor = os.open(_GROUP, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"%d" % niceness)
        finally:
            os.close(descriptor)
