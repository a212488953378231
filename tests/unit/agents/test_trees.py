"""Which processes belong to a stage, and what it costs to find out."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from orchestrate_tui.stagehost import trees
from tests.other_user import OtherUser

LENGTH = 40
LINE = f"""
import os, sys
for _ in range({LENGTH - 1}):
    if os.fork():
        break
else:
    print("ready", flush=True)
sys.stdin.read()
"""
"""Processes each of which was started by the one before; they end with their standard input."""


@pytest.fixture
def line() -> Iterator[int]:
    """The first of a long line of processes that no stage has started."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", LINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"ready\n"
        yield first.pid


def test_who_looks_for_a_tree_climbs_a_line_of_strangers_once(
    line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    climbed: list[int] = []
    parent_of = trees.parent_of

    def count(pid: int) -> int | None:
        climbed.append(pid)
        return parent_of(pid)

    monkeypatch.setattr(trees, "parent_of", count)
    assert line not in trees.Tree(0, trees.Marks().next()).members()
    assert climbed.count(line) > 0
    assert max(map(climbed.count, set(climbed))) < LENGTH / 4


def test_who_has_no_time_left_signals_nothing_of_a_tree() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as head:
        tree = trees.Tree(head.pid, None)
        assert not tree.send(signal.SIGTERM, longest_s=-1)
        assert tree.send(signal.SIGINT)
    assert head.returncode == -signal.SIGINT


LEADERLESS = """
import ctypes, os, threading
from orchestrate_tui.stagehost import trees

EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
started, end = os.pipe(), os.pipe()
child = os.fork()
if not child:
    os.close(end[1])
    threading.Thread(target=os.read, args=(end[0], 1)).start()
    os.close(started[1])
    ctypes.CDLL(None).syscall(EXIT_OF_A_THREAD, 0)
os.close(started[1])
os.read(started[0], 1)
while trees._stat(child)[0] != b"Z":
    pass
print(b"SIGN=own" in trees.environment_of(child))
"""


def test_the_environment_is_known_when_the_first_thread_has_ended_also_to_an_ordinary_user() -> (
    None
):
    nobody = OtherUser.named("nobody").start(LEADERLESS, SIGN="own")
    assert nobody.communicate(timeout=60) == ("True\n", "")
