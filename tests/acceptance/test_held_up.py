"""Another process is stopped while it writes to the database: who works on a run says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.acceptance.desk import REPOSITORY, Desk, Job
from tests.acceptance.test_watching_over_ssh import wait_until
from tests.store.test_held_up import STRANGER, WRITE, let_go, stop

STAGES = """
  - {name: first, agent: hold, task: t}
  - {name: second, agent: note, task: t}
  - {name: third, agent: hold, task: t}
"""
SAID = "orchestrate-tui: Process {} of "
SOON_S = 20.0

NOTE = "  - {name: second, agent: note, task: t}\n"
WAITS = "orchestrate-tui: Process {} of {} ({}) keeps all others from writing to {}."

Process = subprocess.Popen[str]
Holding = Callable[[str], Process]
Writer = Callable[[], Process]


@pytest.fixture
def holding(desk: Desk) -> Iterator[Holding]:
    """Starts a program that keeps all others from writing to the database of the desk."""
    started = []

    def hold(script: str) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", script, str(desk.database)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "writes\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def writer(holding: Holding) -> Writer:
    """Stops a process while it writes to the database of the desk."""

    def write() -> Process:
        process = holding(WRITE)
        stop(process)
        return process

    return write


def waits(desk: Desk, culprit: Process) -> str:
    """How what a command says begins that waits for a process."""
    program = Path(f"/proc/{culprit.pid}/comm").read_text().strip()
    return WAITS.format(culprit.pid, desk.user, program, desk.database)


@pytest.mark.parametrize("script", [WRITE, STRANGER], ids=["takes turns", "takes no turns"])
def test_a_command_names_the_process_that_it_waits_for_and_begins_when_that_lets_go(
    desk: Desk, holding: Holding, script: str
) -> None:
    desk.do("run", desk.pipeline(NOTE))
    culprit = holding(script)
    job = desk.start("run", desk.pipeline(NOTE))
    assert job.err_line() == f"{waits(desk, culprit)} That is waited for until Ctrl-C"
    let_go(culprit)
    assert job.err_line() == "orchestrate-tui: Nothing is in the way any more, it goes on"
    assert (job.end().code, desk.notes()) == (0, ["second", "second"])


@pytest.mark.parametrize("script", [WRITE, STRANGER], ids=["takes turns", "takes no turns"])
@pytest.mark.parametrize("command", ["run", "run --detach", "cancel"])
def test_a_command_that_waits_for_a_process_is_left_by_ctrl_c_and_has_done_nothing(
    desk: Desk, holding: Holding, script: str, command: str
) -> None:
    desk.do("run", file := desk.pipeline(NOTE))
    culprit = holding(script)
    assert desk.do("runs").code == 0
    job = desk.start(*command.split(), 1 if command == "cancel" else file)
    job.err_line()
    job.signal(signal.SIGINT)
    left_at = monotonic()
    ended = job.end()
    assert monotonic() - left_at < SOON_S
    step = "It was not waited for, and nothing of this command is done\n"
    assert (ended.code, ended.err) == (130, f"{waits(desk, culprit)} {step}")
    let_go(culprit)
    assert len(desk.json("runs")) == 1


def test_a_run_that_a_program_keeps_from_being_recorded_is_soon_ended_by_ctrl_c(
    desk: Desk, holding: Holding
) -> None:
    job = desk.start("run", desk.pipeline(STAGES))
    desk.ready.stage()
    culprit = holding(STRANGER)
    desk.gate.open()
    assert job.err_line().startswith(waits(desk, culprit))
    job.signal(signal.SIGINT)
    left_at = monotonic()
    ended = job.end()
    assert monotonic() - left_at < SOON_S
    assert ended.code == 4
    assert f"{waits(desk, culprit).rstrip('.')}, and what happened since is not" in ended.err
    let_go(culprit)
    desk.gate.open()
    assert (desk.do("resume", 1).code, desk.notes()) == (0, ["second"])


def test_a_console_is_quit_although_a_program_keeps_its_executor_from_being_opened(
    desk: Desk, holding: Holding
) -> None:
    desk.do("run", desk.pipeline(NOTE))
    culprit = holding(STRANGER)
    console = desk.terminal("console")
    console.until(f"Process {culprit.pid} of")
    console.type("q")
    left_at = monotonic()
    assert console.end() == 2
    assert monotonic() - left_at < SOON_S
    assert "Nothing of this change was kept" in console.text


def held_up(desk: Desk, writer: Writer) -> tuple[Job, Process, str]:
    """A run that cannot record the end of a stage, who keeps it from that, and what it says."""
    job = desk.start("run", desk.pipeline(STAGES))
    desk.ready.stage()
    culprit = writer()
    desk.gate.open()
    return job, culprit, job.err_line()


def test_a_run_names_the_process_that_it_waits_for_and_goes_on_when_that_does(
    desk: Desk, writer: Writer
) -> None:
    job, culprit, said = held_up(desk, writer)
    assert said.startswith(SAID.format(culprit.pid))
    assert f"let it go on (kill -CONT {culprit.pid})" in said
    assert desk.notes() == []
    let_go(culprit)
    assert job.err_line() == "orchestrate-tui: Nothing is in the way any more, it goes on"
    desk.gate.open()
    ended = job.end()
    assert (ended.code, ended.err, desk.notes()) == (0, "", ["second"])


def test_a_run_that_waits_for_a_stopped_process_is_ended_unrecorded_and_gone_on_with(
    desk: Desk, writer: Writer
) -> None:
    job, culprit, said = held_up(desk, writer)
    job.signal(signal.SIGINT)
    ended = job.end()
    assert ended.code == 4
    assert "is not recorded. Go on later with: orchestrate-tui resume RUN" in ended.err
    assert desk.do("show", 1).code == 0
    assert f"Process {culprit.pid} of" in said
    let_go(culprit)
    desk.gate.open()
    assert (desk.do("resume", 1).code, desk.notes()) == (0, ["second"])


def test_a_console_is_quit_although_another_process_is_stopped_while_it_writes(
    desk: Desk, writer: Writer
) -> None:
    desk.do("run", desk.pipeline(NOTE))
    console = desk.terminal("console")
    console.until("shop")
    sockets = desk.database.with_name("store.db.sockets")
    wait_until(lambda: list(sockets.glob("*.sock")))  # the last that is made of its executor
    culprit = writer()
    console.type("q")
    assert console.end() == 0
    let_go(culprit)
