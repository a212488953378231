"""Work in a process of its own, which needs no terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from orchestrate_tui.errors import NotAwaited
from orchestrate_tui.stagehost.starting import leave_ahead

Announce = Callable[[int], None]


def detached(work: Callable[[Announce], int], log: Path, report: Announce) -> int:
    """Have `work` done by a child of this process, in a session of its own.

    The child announces a number when its work is under way: here it is reported, and its output
    goes to `log` from then on. Without an announcement this process ends as the child does,
    which has told why. Must be called before any thread is started.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child:
        leave_ahead()
        os.close(writing)
        return _await_announcement(child, reading, report)
    os.close(reading)
    os.setsid()
    return work(partial(_announce, writing, log))


def _await_announcement(child: int, reading: int, report: Announce) -> int:
    code = 0
    with os.fdopen(reading) as announcement:
        try:
            number = announcement.read()
        except KeyboardInterrupt:  # which the child, in a session of its own, does not get
            os.kill(child, signal.SIGTERM)
            number, code = announcement.read(), NotAwaited.exit_code
    if not number:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    report(int(number))
    return code


def _announce(writing: int, log: Path, number: int) -> None:
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, stream in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, stream)
    os.close(nothing)
    os.close(output)
    os.write(writing, str(number).encode())
    os.close(writing)
