"""The end of processes that fork and end all the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HOPS = """
import json, os, signal, sys, time
from contextlib import suppress
from orchestrate_tui.stagehost import hunting, server, trees

HOPS = 3_000


def hop():
    for _ in range(HOPS):
        os.setsid()
        if os.fork():
            os._exit(0)
    os._exit(0)


def orphaned(work):
    if not os.fork():
        if not os.fork():
            work()
        os._exit(0)


def reap():
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def living():
    reap()
    return sorted(pid for pid in trees.children() if trees.runs(pid))


server.become_reaper()
known = os.fork()
if not known:
    signal.alarm(60)
    signal.pause()
for _ in range(20):
    orphaned(hop)
while not trees.children() - {known}:
    time.sleep(0.001)
"""

STANDSTILL = """
def stopped():
    return {pid for pid in asleep if trees.runs(pid) and trees._stat(pid)[0] == b"T"}

with hunting.standstill(lambda: {known}, reap) as asleep:
    while any(map(trees.runs, asleep - stopped())):
        time.sleep(0.001)
while stopped():
    time.sleep(0.001)
print(json.dumps([len(asleep) > 1, known in asleep]))
while living() != [known]:
    hunting.kill_all(lambda: {known}, reap, lambda: True)
os.kill(known, signal.SIGKILL)
"""

END = """
while living() != [known]:
    hunting.kill_all(lambda: {known}, reap, lambda: True)
print(json.dumps(living() == [known]))
os.kill(known, signal.SIGKILL)
"""

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
hunt(lambda pid: True, tuple, lambda: None)
print(signal.Signals(os.WTERMSIG(os.waitpid(own, 0)[1])).name)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a child that it may not end")
def test_what_may_not_be_ended_keeps_nobody_from_ending_the_rest() -> None:
    hunt = subprocess.run(
        [sys.executable, "-c", ANOTHERS_CHILD], capture_output=True, text=True, check=False
    )
    assert hunt.stderr == ""
    assert hunt.stdout == "SIGKILL\n"


def hunted(attempt: str) -> object:
    """What a process says that has twenty lines of processes hop below it."""
    hunt = subprocess.run(
        [sys.executable, "-c", HOPS + attempt], capture_output=True, text=True, check=False
    )
    assert hunt.stderr == ""
    return json.loads(hunt.stdout)


def test_processes_that_hop_stand_still_while_they_are_looked_at_and_go_on() -> None:
    assert hunted(STANDSTILL) == [True, False]


def test_processes_that_hop_are_ended_and_what_is_known_is_not() -> None:
    assert hunted(END) is True
