"""`demo`: the story without a console, and what is left of it afterwards: nothing."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from tests.acceptance.desk import CTRL_C, Desk

STORY = (
    "Release 1 goes live:",
    "run 1 running",
    "smoke-test succeeded",
    "run 1 succeeded",
    "  over HTTP: release 1 is well",
    "Release 2 is broken; its smoke test fails, and the rollback puts release 1 back:",
    "smoke-test failed",
    "undo of deploy undone",
    "run 2 failed",
    "  over HTTP: release 1 is well",
)


@pytest.fixture(autouse=True)
def nothing_left(desk: Desk) -> Iterator[None]:
    """Whatever happened, no process and no file of the demonstration is left."""
    before = sorted(desk.folder.parent.iterdir())
    yield
    assert sorted(desk.folder.parent.iterdir()) == before
    assert desk.processes() == []


def test_the_demonstration_tells_its_story_and_ends_with_0(desk: Desk) -> None:
    result = desk.do("demo", "--headless")
    assert (result.code, result.err) == (0, "")
    rest = result.out
    for words in STORY:
        assert words in rest
        rest = rest.partition(words)[2]
    assert not desk.database.exists()


def test_the_record_of_the_demonstration_can_be_kept(desk: Desk) -> None:
    kept = desk.folder / "demo.db"
    assert desk.do("demo", "--db", kept).code == 0
    assert [run["status"] for run in desk.json("runs", "--db", kept)] == ["failed", "succeeded"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["build running", "over HTTP", "undo of deploy running"])
def test_an_interrupted_demonstration_leaves_nothing(desk: Desk, moment: str, number: int) -> None:
    job = desk.start("demo", "--headless")
    while moment not in job.out_line():
        pass
    job.signal(number)
    result = job.end()
    assert result.code == 130
    assert result.err == ""


def test_ctrl_c_twice_on_a_terminal_leaves_nothing(desk: Desk) -> None:
    terminal = desk.terminal("demo", "--headless")
    terminal.until("deploy running")
    terminal.type(CTRL_C)
    terminal.type(CTRL_C)
    assert terminal.end() == 130


def test_a_demonstration_whose_service_cannot_be_ended_says_so_in_a_sentence(desk: Desk) -> None:
    failing = desk.folder / "bin" / "python3"
    failing.parent.mkdir()
    failing.write_text(f'#!/bin/sh\n{sys.executable} "$@" || exit\n[ "$2" != stop ]\n')
    failing.chmod(0o700)
    path = f"{failing.parent}:{desk.environment['PATH']}"
    result = desk.do("demo", "--headless", PATH=path)
    assert result.code == 2
    assert "service of the demonstration could not be ended: exit code 1. See" in result.err
    assert "Traceback" not in result.err


def test_a_demonstration_that_nobody_reads_goes_on_to_its_end(desk: Desk) -> None:
    job = desk.start("demo", "--headless")
    assert job.out_line() == "Release 1 goes live:"
    assert job.process.stdout
    job.process.stdout.close()
    job.process.stdout = None
    result = job.end()
    assert (result.code, result.err) == (0, "")
