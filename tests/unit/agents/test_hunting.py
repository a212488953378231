"""The end of processes that fork and end all the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOPS_OF_A_LINE = 500
"""Twenty lines of so many are fewer than the 32,768 processes that a machine may have.

Those that nobody has reaped yet count too."""

HOPS = f"""
import json, os, signal, sys, time
from contextlib import suppress
from orchestrate_tui.stagehost import hunting, server, trees

HOPS = {HOPS_OF_A_LINE}


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
while not trees.children() - {{known}}:
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

MANY_ENDS = """
import json, os, sys, time
from orchestrate_tui.stagehost import server, trees

ENDS = 300


def serve_a_round():
    for key, events in host._selector.select(0):
        key.data(events)
    return len(trees.children())


host = server.Host(sys.argv[1])
host._hear_children()
for _ in range(ENDS):
    if not os.fork():
        os._exit(0)
while any(map(trees.runs, trees.children())):
    time.sleep(0.001)
print(json.dumps([ENDS, serve_a_round(), serve_a_round(), serve_a_round()]))
"""

NO_TIME_LEFT = """
import os, signal, sys
from contextlib import nullcontext
from orchestrate_tui.stagehost import server
from orchestrate_tui.stagehost.program import Program

server._CROWD, server._longest_s = -1, lambda *_: 0.0
server.standstill = lambda *_: nullcontext(frozenset())  # which took all the time there was
host = server.Host(sys.argv[1])
started, starting = os.pipe()
head = os.fork()
if not head:
    os.setsid()
    signal.alarm(20)
    os.close(starting)
    signal.pause()
os.close(starting)
os.read(started, 1)
program = Program("a", head, None, {"variable": "", "leaves_processes": False}, None, started_s=0)
host._programs["a"] = program
host._left.begin(program)
host._send(program, signal.SIGTERM)
print(signal.Signals(os.WTERMSIG(os.waitpid(head, 0)[1])).name)
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


def test_a_host_serves_others_too_while_processes_end_faster_than_they_are_reaped(
    tmp_path: Path,
) -> None:
    rounds = subprocess.run(
        [sys.executable, "-c", MANY_ENDS, str(tmp_path)], capture_output=True, text=True, check=True
    )
    ends, *left = json.loads(rounds.stdout)
    assert ends > left[0] > left[1] == left[2] == 0


def test_processes_that_hop_are_ended_and_what_is_known_is_not() -> None:
    assert hunted(END) is True


def test_the_head_of_a_crowd_is_told_to_end_although_to_look_at_it_took_all_the_time(
    tmp_path: Path,
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", NO_TIME_LEFT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "SIGTERM\n"
