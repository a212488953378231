"""How a read-only console ends, and what it costs a terminal that is far away or does not read."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.desk import Desk, wait_for_end
from tests.console.terminal import Terminal

WORDS = ["-B", "-m", "orchestrate_tui", "--read-only"]
FRAMES_PER_SECOND = 4
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def watched(desk: Desk) -> Iterator[Desk]:
    """Somewhere a run is under way, and goes on for as long as one looks."""
    desk.pipeline("- {name: build, agent: hold, task: Build}\n")
    job = desk.start("run", "shop.yaml")
    desk.ready.stage()
    yield desk
    desk.gate.open()
    assert job.end().code == 0


@pytest.fixture
def console(watched: Desk) -> Iterator[Terminal]:
    with Terminal(WORDS, watched.folder, **watched.environment) as terminal:
        terminal.until("READ-ONLY")
        yield terminal


def cpu_s(pid: int) -> float:
    """How much of a processor a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def overwhelm(console: Terminal) -> None:
    """Have more drawn than a terminal takes that nobody reads."""
    console.type_slowly("zz" * 60)


def test_sigterm_gives_the_terminal_back(console: Terminal) -> None:
    console.signal(signal.SIGTERM)
    seen = b""
    while b"\x1b[?1049l" not in seen:
        seen = seen[-10:] + console.read(5)
    assert console.ends() == 0


def test_a_lost_terminal_ends_it(console: Terminal) -> None:
    console.hang_up()
    assert console.process.wait(60) == -signal.SIGHUP


def test_a_hang_up_that_was_ignored_before_ends_it_too(watched: Desk) -> None:
    words = ["-c", "trap '' HUP; exec \"$@\"", "sh", sys.executable, *WORDS]
    environment = watched.environment
    with Terminal(words, watched.folder, program="sh", **environment) as console:
        console.until("READ-ONLY")
        console.hang_up()
        assert console.process.wait(60) == -signal.SIGHUP


def test_the_end_of_its_input_ends_it_where_nothing_hangs_up(watched: Desk) -> None:
    words = ["--wait", sys.executable, *WORDS]  # in a session that this terminal does not belong to
    environment = watched.environment
    with Terminal(words, watched.folder, program="setsid", **environment) as console:
        console.until("READ-ONLY")
        children = Path(f"/proc/{console.process.pid}/task/{console.process.pid}/children")
        (pid,) = map(int, children.read_text().split())
        console.hang_up()
        wait_for_end(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_not_read_keeps_no_signal_away(
    console: Terminal, number: signal.Signals
) -> None:
    overwhelm(console)
    console.signal(number)
    console.process.wait(60)


DEAF = """
import sys
from orchestrate_tui.cli import main
from orchestrate_tui.console import driver

class Deaf(driver.TypedText):
    def feed(self, data):
        raise RuntimeError("deaf")

driver.TypedText = Deaf
sys.exit(main(["--read-only"]))
"""


def test_a_defect_in_what_hears_the_keys_is_told(watched: Desk) -> None:
    with Terminal(["-B", "-c", DEAF], watched.folder, **watched.environment) as console:
        console.until("READ-ONLY")
        console.type("x")
        assert console.ends() == 1
        assert "RuntimeError: deaf" in console.text


def test_a_terminal_that_is_not_read_costs_nothing(console: Terminal) -> None:
    overwhelm(console)
    began, before = time.monotonic(), cpu_s(console.process.pid)
    time.sleep(2)  # what is measured is that nothing happens
    used = (cpu_s(console.process.pid) - before) / (time.monotonic() - began)
    assert used < 0.5
    assert console.process.poll() is None


def test_while_only_time_passes_little_is_drawn(console: Terminal) -> None:
    console.until("◐ build")
    while console.read(0.3):
        if "No output yet" in console.text:
            break
    began, frames, drawn_bytes = time.monotonic(), 0, 0
    while time.monotonic() - began < 3:
        data = console.read(0.3)
        while more := console.read(0.1):  # a frame may be written in pieces
            data += more
        frames += bool(data)
        drawn_bytes += len(data)
    assert frames <= FRAMES_PER_SECOND * 3 + 1
    assert drawn_bytes < 3 * 8192
