"""Which stage host starts a program: each run has its own, and what may leave services another."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.agents import host_line, hosted, perform
from orchestrate_tui.agents.contract import Work
from orchestrate_tui.agents.hosted import HostLauncher
from tests.unit.agents.conftest import MakeWork, Signals
from tests.unit.agents.test_agent_leftovers import left_process

pytestmark = pytest.mark.anyio

HOST = "echo $PPID >../ready"


class Hosts:
    """Has work done, and tells which host did it."""

    def __init__(self, make_work: MakeWork, ready: Signals, launcher: HostLauncher) -> None:
        self._make_work, self._ready, self._launcher = make_work, ready, launcher
        self._count = 0

    @asynccontextmanager
    async def at_work(self, run_id: int, *, leaves_processes: bool = False) -> AsyncIterator[int]:
        """A program of a run that goes on during the block; gives its host."""
        self._count += 1
        work = self._make_work(
            shell=f"{HOST}; exec tail -f /dev/null",
            run_id=run_id,
            idempotency_key=f"{run_id}/{self._count}",
            leaves_processes=leaves_processes,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(perform, work, self._launcher)
            yield int(await self._ready.heard())
            tasks.cancel_scope.cancel()

    async def of(self, run_id: int, *, leaves_processes: bool = False) -> int:
        """The host of a program that ends at once."""
        async with self.at_work(run_id, leaves_processes=leaves_processes) as host:
            return host


@pytest.fixture
def hosts(make_work: MakeWork, ready: Signals, launcher: HostLauncher) -> Hosts:
    return Hosts(make_work, ready, launcher)


@pytest.fixture
def few_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "MOST_HOSTS", 2)


async def test_programs_of_one_run_share_a_host_and_other_runs_have_their_own(hosts: Hosts) -> None:
    async with hosts.at_work(1) as first, hosts.at_work(2) as second, hosts.at_work(1) as third:
        assert first == third != second


async def test_a_host_without_programs_is_given_to_the_next_run(hosts: Hosts) -> None:
    assert await hosts.of(1) == await hosts.of(2)


async def test_what_may_leave_services_shares_a_host_of_its_own(hosts: Hosts) -> None:
    async with hosts.at_work(1) as first:
        services = await hosts.of(1, leaves_processes=True)
        assert services != first
        assert services == await hosts.of(2, leaves_processes=True)
    assert await hosts.of(3) == first


@pytest.mark.usefixtures("few_hosts")
async def test_where_there_are_enough_hosts_the_least_busy_one_is_shared(hosts: Hosts) -> None:
    async with hosts.at_work(1), hosts.at_work(1), hosts.at_work(2) as second:
        assert await hosts.of(3) == second


@pytest.mark.usefixtures("few_hosts")
async def test_a_run_that_finds_no_host_of_its_own_takes_none_from_the_others(hosts: Hosts) -> None:
    async with hosts.at_work(1) as first, hosts.at_work(2) as second, hosts.at_work(3) as shared:
        assert shared == first
        assert [await hosts.of(run_id) for run_id in (1, 2, 3)] == [first, second, shared]


async def test_a_host_comes_up_for_the_next_run_while_others_are_at_work(
    hosts: Hosts, launcher: HostLauncher
) -> None:
    async with hosts.at_work(1) as first:
        launcher.prepare()
        ahead = launcher.pids[1]
        launcher.prepare()
        assert launcher.pids == (first, ahead)
        assert await hosts.of(2) == ahead


async def test_every_host_has_a_folder_of_its_own_and_ends_with_the_launcher(
    hosts: Hosts, launcher: HostLauncher, tmp_path: Path, is_running: Callable[[int], bool]
) -> None:
    async with hosts.at_work(1), hosts.at_work(2), hosts.at_work(3, leaves_processes=True):
        assert folders(tmp_path) == {"host", "host-2", "host-services"}
    pids = launcher.pids
    launcher.close()
    assert launcher.pids == ()
    assert not any(map(is_running, pids))


@pytest.mark.parametrize("leaves_processes", [False, True])
async def test_a_host_that_hangs_is_used_no_more(
    make_work: MakeWork,
    hosts: Hosts,
    launcher: HostLauncher,
    monkeypatch: pytest.MonkeyPatch,
    *,
    leaves_processes: bool,
) -> None:
    hanging = await hosts.of(1, leaves_processes=leaves_processes)
    stop(hanging)
    work = make_work(shell="true", leaves_processes=leaves_processes)
    await lose_host(work, launcher, monkeypatch)
    assert await hosts.of(2, leaves_processes=leaves_processes) != hanging
    end(hanging)
    assert await hosts.of(2, leaves_processes=leaves_processes) != hanging
    assert is_reaped(hanging)


async def test_what_has_the_same_key_in_another_database_goes_on_when_a_host_is_lost(
    make_work: MakeWork,
    hosts: Hosts,
    launcher: HostLauncher,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    work, original = make_work(shell="true"), tmp_path / "original" / "runs" / "7"
    for folder in (original, work.log_path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    output = str(original / "deploy.1.out")
    with left_process(work.idempotency_key, ORCHESTRATE_OUTPUT=output) as others:
        hanging = await hosts.of(1)
        stop(hanging)
        await lose_host(work, launcher, monkeypatch)
        assert others.poll() is None
        others.kill()
    end(hanging)


async def lose_host(work: Work, launcher: HostLauncher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have work started by a host that does not answer."""
    with monkeypatch.context() as impatient:
        impatient.setattr(host_line, "_START_PATIENCE_S", 0.01)
        assert (await perform(work, launcher)).exit_code is None


def stop(child: int) -> None:
    os.kill(child, signal.SIGSTOP)
    os.waitid(os.P_PID, child, os.WSTOPPED)


def end(child: int) -> None:
    """End it, and leave it to be waited for."""
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)


def is_reaped(child: int) -> bool:
    return not Path("/proc", str(child)).exists()


def folders(hosts: Path) -> set[str]:
    return {journal.parent.name for journal in hosts.glob("*/journal")}
