"""The stage host that is started before anybody knows what it will serve."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from orchestrate_tui.stagehost import starting
from orchestrate_tui.stagehost.starting import dismiss_ahead, start_ahead

if TYPE_CHECKING:
    from tests.unit.agents.conftest import MakeWork, Run

PARENT = "echo $PPID"


@pytest.fixture
def ahead() -> Iterator[int]:
    """The process of a host that was started ahead."""
    start_ahead()
    (host,) = starting._ahead
    yield host.pid
    dismiss_ahead()


@pytest.mark.anyio
async def test_a_host_that_was_started_ahead_serves_who_needs_one(
    ahead: int, make_work: MakeWork, run: Run
) -> None:
    work = make_work(shell=PARENT)
    await run(work)
    assert int(work.log_path.read_text()) == ahead


@pytest.mark.anyio
async def test_a_host_that_was_ended_meanwhile_is_replaced(
    ahead: int, make_work: MakeWork, run: Run
) -> None:
    work = make_work(shell=PARENT)
    kill(ahead)
    outcome = await run(work)
    assert outcome.succeeded
    assert int(work.log_path.read_text()) != ahead


@pytest.mark.anyio
async def test_stages_see_what_changed_in_the_environment_after_the_host_was_started(
    make_work: MakeWork, run: Run, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    work = make_work(shell="echo $CITY ${LAKE:-no lake}")
    monkeypatch.setenv("CITY", "Basel")
    monkeypatch.setenv("LAKE", "Zug")
    request.getfixturevalue("ahead")
    monkeypatch.setenv("CITY", "Bern")
    monkeypatch.delenv("LAKE")
    await run(work)
    assert work.log_path.read_text() == "Bern no lake\n"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_host_that_nobody_needs_ends(ahead: int) -> None:
    dismiss_ahead()
    with pytest.raises(ChildProcessError):  # it was waited for
        os.waitpid(ahead, 0)


DETACH = """
import os, sys
from pathlib import Path
from orchestrate_tui.cli.detached import detached
from orchestrate_tui.stagehost import starting

def work(announce):
    announce(starting._ahead[0].pid)
    os.read(int(sys.argv[2]), 1)
    return 0

starting.start_ahead()
detached(work, Path(sys.argv[1]), print)
starting.dismiss_ahead()  # as every command does in the end
"""


def test_a_host_is_left_to_whoever_works_on_in_a_process_of_their_own(tmp_path: Path) -> None:
    gate, way = os.pipe()
    words = [sys.executable, "-P", "-c", DETACH, str(tmp_path / "log"), str(gate)]
    with subprocess.Popen(words, pass_fds=[gate], stdout=PIPE, text=True) as parent:
        os.close(gate)
        assert parent.stdout
        host = os.pidfd_open(int(parent.stdout.readline()))
        parent.wait(60)
        assert select.select([host], [], [], 0)[0] == []
        os.close(way)
        assert select.select([host], [], [], 60)[0] == [host]
    os.close(host)


def test_a_command_that_comes_to_no_run_leaves_no_host(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "orchestrate_tui", "run", str(tmp_path / "no-such.yaml")]
    mark = {"MARK": str(tmp_path)}
    told = subprocess.run(words, env=os.environ | mark, stderr=PIPE, check=False)
    assert told.returncode == 2
    assert list(marked(f"MARK={tmp_path}".encode())) == []


def marked(variable: bytes) -> Iterator[int]:
    """The processes that still run with this in their environment."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and variable in (entry / "environ").read_bytes():
                yield int(entry.name)
