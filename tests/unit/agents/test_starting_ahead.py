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
PATIENCE_S = 20.0


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
    assert os.waitpid(ahead, 0) == (ahead, 0)


def test_a_command_that_comes_to_no_run_leaves_no_host(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "orchestrate_tui", "run", str(tmp_path / "no-such.yaml")]
    mark = {"MARK": str(tmp_path)}
    told = subprocess.run(words, env=os.environ | mark, stderr=PIPE, check=False)
    assert told.returncode == 2
    for pidfd in marked(f"MARK={tmp_path}".encode()):
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)


def marked(variable: bytes) -> Iterator[int]:
    """The processes that still run with this in their environment, each to wait for its end."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and variable in (entry / "environ").read_bytes():
                yield os.pidfd_open(int(entry.name))
