"""The end of processes that fork and end all the time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ANOTHERS_CHILD = """
import os, signal, sys
from orchestrate_tui.stagehost.hunting import hunt

reading, writing = os.pipe()
if not os.fork():
    os.close(writing)
    os.read(reading, 1)
    os._exit(0)
os.setuid(65534)
own = os.fork()
if not own:
    signal.alarm(20)
    signal.pause()
hunt(lambda pid: True, (), lambda: None)
print(signal.Signals(os.WTERMSIG(os.waitpid(own, 0)[1])).name)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a child that it may not end")
def test_what_may_not_be_ended_keeps_nobody_from_ending_the_rest() -> None:
    hunt = subprocess.run(
        [sys.executable, "-c", ANOTHERS_CHILD], capture_output=True, text=True, check=False
    )
    assert hunt.stderr == ""
    assert hunt.stdout == "SIGKILL\n"
