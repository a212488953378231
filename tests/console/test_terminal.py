from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store.history import History
from tests.console.terminal import Terminal
from tests.executor.scenery import end_hosts_in, end_processes_in

GATED = """\
name: gated
agents: {robot: {shell: "echo waiting for the gate; read go <gate; echo through"}}
stages:
  - {name: build, agent: robot, task: Build, rollback: {task: Undo, agent: undo}}
"""
DARK = "121212"
"""What is behind everything at first."""

STOPS = 6
"""More than there are threads that a console may still have been about to start."""

UNDO = """\
agents: {undo: {shell: "echo undone >undone"}}
"""
OPENER = """
import sys
from pathlib import Path
from orchestrate_tui.console.sparing import sparing
with sparing():
    from orchestrate_tui.console.app import run_console
from orchestrate_tui.executor.control import Control
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.history import History

with open_database(Path("t.db")) as database, Control(database) as control:
    code = run_console(History(database.path), control, files=[Path("gated.yaml")])
sys.exit(code)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The present folder of the console: one pipeline, whose stage waits for a gate."""
    (tmp_path / "gated.yaml").write_text(GATED)
    (tmp_path / "agents.yaml").write_text(UNDO)
    (tmp_path / "open.py").write_text(OPENER)
    os.mkfifo(tmp_path / "gate")
    return tmp_path


@pytest.fixture
def console(folder: Path) -> Iterator[Terminal]:
    with Terminal(["open.py"], folder) as terminal:
        terminal.until("No runs yet")
        yield terminal
    end_hosts_in(folder / "t.db.hosts")
    end_processes_in(folder)


def start_run(console: Terminal) -> None:
    console.type("n")
    console.until("gated: 1 stages")
    console.type("\x13")
    console.until("waiting for the gate")


def ended(folder: Path, run_id: int = 1) -> RunStatus:
    history = History(folder / "t.db")
    try:
        return history.run(run_id).status
    finally:
        history.close()


def test_a_run_is_started_watched_and_rolled_back_by_keys_alone(
    console: Terminal, folder: Path
) -> None:
    start_run(console)
    (folder / "gate").write_text("go\n")
    console.until("✓ succeeded")
    console.type("R\r\rno good")
    console.until("--reason 'no good'")
    console.until("1. build")
    console.until_enabled("Roll back…")
    console.type("\r\r")
    console.until("Really roll back?")
    console.until_enabled("Roll back  ")
    console.type("\x1b[C\r")
    console.until("↶ build")
    assert (folder / "undone").exists()
    console.type("q")
    assert console.ends() == 0


def test_the_palette_of_commands_is_there_when_it_is_asked_for(console: Terminal) -> None:
    console.type("\x10theme")
    console.until("Choose other colours")
    console.type("\r")
    console.until("Search for themes")
    console.type("solarized-li")
    console.until("solarized-light")
    assert DARK in console.inks()
    console.type("\r")
    console.wait_for(lambda: DARK not in console.inks())
    console.type("q")
    assert console.ends() == 0


def test_keys_that_arrive_in_one_burst_go_where_they_were_meant_to_go(console: Terminal) -> None:
    start_run(console)
    console.type("R\r\rqqnnRxc")
    console.until("--reason qqnnRxc")


def test_a_burst_leads_to_the_last_question_and_does_not_answer_it(
    console: Terminal, folder: Path
) -> None:
    start_run(console)
    (folder / "gate").write_text("go\n")
    console.until("✓ succeeded")
    console.type("R\r\rno good\r\r\x1b[C\r")
    console.until("That was typed before this was shown")
    assert "Really roll back?" in console.text
    assert "Reason: no good" in console.text
    assert "Roll back" in console.reversed_text()
    assert not (folder / "undone").exists()
    console.until_enabled("Roll back  ")
    console.type("\r")
    console.until("↶ build")
    assert (folder / "undone").exists()


@pytest.mark.parametrize("way", ["hang up", "SIGTERM", "leave"])
def test_what_runs_goes_on_to_its_end_without_the_console(
    console: Terminal, folder: Path, way: str
) -> None:
    start_run(console)
    if way == "hang up":
        console.hang_up()
    elif way == "SIGTERM":
        console.signal(signal.SIGTERM)
    else:
        console.type("q")
        console.until("Still running: #1")
        console.type("\x1b[C\r")
    if way != "hang up":
        while b"\x1b[?1049l" not in console.read(5):
            assert console.process.poll() is None
    console.signal(signal.SIGHUP)
    assert ended(folder) is RunStatus.RUNNING
    (folder / "gate").write_text("go\n")
    assert console.process.wait(60) == 0
    assert ended(folder) is RunStatus.SUCCEEDED


def overwhelm(console: Terminal) -> None:
    """Have more drawn than a terminal takes that nobody reads."""
    console.type_slowly("zz" * 60)


def test_a_terminal_that_stops_reading_stops_nothing(console: Terminal, folder: Path) -> None:
    start_run(console)
    overwhelm(console)
    (folder / "gate").write_text("go\n")
    while ended(folder) is RunStatus.RUNNING:
        assert console.process.poll() is None
    console.signal(signal.SIGTERM)
    assert console.process.wait(60) == 0


def test_a_terminal_that_reads_again_is_drawn_anew(console: Terminal, folder: Path) -> None:
    start_run(console)
    console.until("R Rollback")
    overwhelm(console)
    console.type("?")
    (folder / "gate").write_text("go\n")
    console.until("Keys and signs")
    console.type("q")
    console.until("─1 Runs─")
    console.until("✓ succeeded")
    console.until("R Rollback n New / Filter L Log ? Help q Quit")
    assert "Keys and signs" not in console.text
    console.type("q")
    assert console.ends() == 0


def test_a_console_that_was_stopped_goes_on_as_if_it_had_not_been(console: Terminal) -> None:
    threads = Path(f"/proc/{console.process.pid}/task")
    before = len(list(threads.iterdir()))
    for _ in range(STOPS):
        console.type("?")
        console.until("Keys and signs")
        console.signal(signal.SIGSTOP)
        console.type("q")
        console.signal(signal.SIGCONT)
        console.wait_for(lambda: "Keys and signs" not in console.text)
    assert len(list(threads.iterdir())) < before + STOPS
    console.type("q")
    assert console.ends() == 0


def test_a_terminal_that_stopped_reading_can_be_hung_up(console: Terminal, folder: Path) -> None:
    start_run(console)
    overwhelm(console)
    console.hang_up()
    (folder / "gate").write_text("go\n")
    assert console.process.wait(60) == 0
    assert ended(folder) is RunStatus.SUCCEEDED


def test_without_colours_the_cursor_is_still_seen(folder: Path) -> None:
    with Terminal(["open.py"], folder, NO_COLOR="1") as console:
        console.until("No runs yet")
        start_run(console)
        assert console.inks() == {"default"}
        console.wait_for(lambda: "build" in console.reversed_text())
        console.type("q")
        console.wait_for(lambda: "Stay" in console.reversed_text())
        assert "Leave" not in console.reversed_text()
        (folder / "gate").write_text("go\n")


def test_an_error_of_the_operator_ends_the_console_with_a_sentence(folder: Path) -> None:
    opener = OPENER.replace('files=[Path("gated.yaml")]', "run_id=99")
    (folder / "open.py").write_text(opener)
    with Terminal(["open.py"], folder) as console:
        assert console.ends() == 2
        console.until("There is no run 99")
        assert "Traceback" not in console.text
