"""Stages whose processes hide, multiply and do not want to end are cancelled, to the last one."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.agents.contract import Process, Program
from orchestrate_tui.agents.hosted import HostLauncher, OwnHost
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Pipeline, Stage
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.executor.executor import PipelineExecutor
from tests.executor.scenery import Pipe
from tests.other_user import OtherUser
from tests.torture.conftest import Amount, Figure
from tests.torture.hostile_tree import KINDS

pytestmark = pytest.mark.anyio

TREE = Path(__file__).with_name("hostile_tree.py")
GRACE_S = 0.5
PATIENCE_S = 1.0
AT_ONCE = 8
ALONE = frozenset({"abandoned", "hopper", "crowd", "roused_crowd", "service"})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Forest:
    """A folder in which hostile trees say who they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.ready = Pipe(folder / "ready")

    def pipeline(self, kinds: list[str], *, leaves_processes: bool = False) -> Pipeline:
        """Each kind as a stage, all at once."""
        agents = tuple(
            Agent(
                name=kind,
                kind=AgentKind.COMMAND,
                command=(sys.executable, "-I", "-S", str(TREE), kind, str(self.folder)),
                grace_s=GRACE_S,
                leaves_processes=leaves_processes,
            )
            for kind in set(kinds)
        )
        stages = tuple(
            Stage(name=f"{kind}-{number}", agent=kind, task="do not end", depends_on=())
            for number, kind in enumerate(kinds)
        )
        return Pipeline(name="forest", agents=agents, stages=stages, max_parallel=len(kinds))

    def survivors(self) -> list[int]:
        """The processes that were there and still run."""
        path = self.folder / "pids"
        lines = path.read_text().splitlines() if path.exists() else ()
        known = (line.split() for line in lines)
        return [int(pid) for pid, started in known if runs(pid, started)]

    def burn(self) -> None:
        """End whatever is left."""
        while left := self.survivors():
            for pid in left:
                end(pid)
        self.ready.close()


def runs(pid: str, started: str) -> bool:
    """Whether that very process runs and is more than an entry that waits to be reaped."""
    with suppress(OSError):
        stat = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        has_threads = int(stat[17]) > 1  # one whose first thread has ended is called a zombie too
        return (stat[0] not in "ZX" or has_threads) and stat[19] == started
    return False


def end(pid: int) -> None:
    with suppress(OSError):
        pidfd = os.pidfd_open(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [], 10)
        os.close(pidfd)


class NaiveProcess:
    """A child whose tree is taken for its process group."""

    ran_s = 0.0
    timed_out = False
    kept = ()

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    def signal_tree(self, signal: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal)

    def let_go(self) -> None:
        """Nobody else ever has it."""

    def tree_lives(self) -> bool:
        return self._child.poll() is None

    async def wait(self) -> int:
        return await anyio.to_thread.run_sync(self._child.wait, abandon_on_cancel=True)

    async def wait_tree(self) -> None:
        await self.wait()


class NaiveLauncher:
    """Starts processes as most programs do."""

    async def start(self, program: Program) -> Process:
        return NaiveProcess(
            subprocess.Popen(  # noqa: ASYNC220  (what it is about)
                program.argv, env=program.environment, cwd=program.workdir, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip

    def prepare(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def forest(tmp_path: Path) -> Iterator[Forest]:
    made = Forest(tmp_path / "forest")
    yield made
    made.burn()


@pytest.fixture
def other_forest(tmp_path: Path) -> Iterator[Forest]:
    made = Forest(tmp_path / "other")
    yield made
    made.burn()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Where another user may write."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@asynccontextmanager
async def running(
    executor: PipelineExecutor, defined: Pipeline, *forests: Forest
) -> AsyncIterator[None]:
    """A run that goes on during the block, once these were told that something is ready."""
    run_id = await executor.create_run(defined, workdir=forests[0].folder)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.execute_run, run_id)
        for forest in forests:
            await forest.ready.line()
        yield
        await executor.cancel(run_id)


async def cancelled(executor: PipelineExecutor, forest: Forest, kinds: list[str]) -> float:
    """Let these trees grow, cancel their run, and return how many seconds that took."""
    async with running(executor, forest.pipeline(kinds), *(forest for _ in kinds)):
        began = time.monotonic()
    return time.monotonic() - began


@pytest.mark.attack("hostile trees")
@pytest.mark.parametrize("part", range(2))
async def test_of_a_cancelled_run_no_process_is_left(
    part: int, forest: Forest, rng: random.Random, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    kinds = [kind for kind in KINDS if kind not in ALONE]
    count, longest_s = amount(short=24, long=256), 0.0
    chosen = [kinds[number % len(kinds)] for number in range(part, part + count)]
    rng.shuffle(chosen)
    async with PipelineExecutor(tmp_path / "store.db") as executor:
        for first in range(0, count, AT_ONCE):
            batch = chosen[first : first + AT_ONCE]
            longest_s = max(longest_s, await cancelled(executor, forest, batch))
            assert forest.survivors() == [], batch
    figure("trees", f"{count}, none left after {longest_s - GRACE_S:.2f} s and the grace")
    assert longest_s < GRACE_S + amount(short=10, long=PATIENCE_S)


@pytest.mark.attack("hostile trees")
async def test_stages_that_end_beside_what_multiplies_do_not_keep_the_host_from_that(
    forest: Forest, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    ending = ["veiled", "leaderless", "leaderless", "traced", "hops", "hidden", "plain"]
    async with PipelineExecutor(tmp_path / "store.db") as executor:
        took_s = await cancelled(executor, forest, ["hidden_race", *ending])
    assert forest.survivors() == []
    figure("trees beside one that multiplies", f"none left after {took_s - GRACE_S:.2f} s")
    assert took_s < GRACE_S + amount(short=10, long=PATIENCE_S)


CROWDED = """
import sys
from pathlib import Path
import anyio
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.seldom import load_seldom
from tests.torture.test_hostile_trees import Forest, cancelled

async def main(folder):
    forest = Forest(folder / "forest")
    async with PipelineExecutor(folder / "store.db") as executor:
        await load_seldom()  # as an executor does by itself
        took_s = await cancelled(executor, forest, [sys.argv[2]])
        print(took_s, *forest.survivors())

anyio.run(main, Path(sys.argv[1]))
"""


@pytest.mark.attack("hostile trees")
@pytest.mark.parametrize("kind", ["crowd", "roused_crowd"])
def test_of_a_crowd_that_takes_all_time_none_is_left_though_nobody_may_come_first(
    kind: str, amount: Amount, figure: Figure, open_folder: Path
) -> None:
    nobody = OtherUser.named("nobody").start(CROWDED, open_folder, kind)
    output, complaints = nobody.communicate(timeout=120)
    assert complaints == ""
    took_s, *survivors = output.split()
    figure(f"a {kind}", f"none left after {float(took_s) - GRACE_S:.2f} s and the grace")
    assert survivors == []
    assert float(took_s) < GRACE_S + amount(short=10, long=PATIENCE_S)


@pytest.mark.attack("hostile trees")
async def test_what_a_stage_leaves_when_it_ends_is_ended_and_does_not_hold_it_up(
    forest: Forest, tmp_path: Path
) -> None:
    async with PipelineExecutor(tmp_path / "store.db") as executor:
        run_id = await executor.create_run(forest.pipeline(["abandoned"]), workdir=forest.folder)
        run = await executor.execute_run(run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert forest.survivors() == []


@pytest.mark.attack("hostile trees")
@pytest.mark.parametrize("leaves_processes", [False, True])
async def test_what_hides_is_found_beside_runs_that_go_on_and_nothing_of_these_is_ended(
    *, leaves_processes: bool, forest: Forest, other_forest: Forest, tmp_path: Path
) -> None:
    others = other_forest.pipeline(["plain"], leaves_processes=leaves_processes)
    async with (
        PipelineExecutor(tmp_path / "store.db") as executor,
        running(executor, others, other_forest),
    ):
        await cancelled(executor, forest, ["hidden", "hidden_race", "unlimited"])
        assert forest.survivors() == []
        assert len(other_forest.survivors()) == 2


@pytest.mark.attack("hostile trees")
async def test_what_hides_is_found_beside_a_service_of_the_same_run(
    forest: Forest, other_forest: Forest, tmp_path: Path
) -> None:
    hiding = forest.pipeline(["hidden", "hidden_race"])
    leaving = other_forest.pipeline(["service"], leaves_processes=True)
    both = replace(
        hiding,
        agents=(*hiding.agents, *leaving.agents),
        stages=(*hiding.stages, *leaving.stages),
        max_parallel=3,
    )
    async with PipelineExecutor(tmp_path / "store.db") as executor:
        async with running(executor, both, forest, forest, other_forest, other_forest):
            pass
        assert forest.survivors() == []
        assert len(other_forest.survivors()) == 1


class OneHost(HostLauncher):
    """Has one stage host for all."""

    def _host_for(self, program: Program) -> OwnHost:
        return super()._host_for(replace(program, run_id=0, leaves_processes=False))


@pytest.mark.control("hostile trees")
async def test_of_runs_that_share_a_host_what_hides_is_left(
    forest: Forest, other_forest: Forest, tmp_path: Path
) -> None:
    one = OneHost(tmp_path / "host")
    async with (
        PipelineExecutor(tmp_path / "store.db", launcher=one) as executor,
        running(executor, other_forest.pipeline(["plain"]), other_forest),
    ):
        await cancelled(executor, forest, ["hidden"])
        assert forest.survivors()


@pytest.mark.control("hostile trees")
async def test_of_trees_taken_for_process_groups_many_processes_are_left(
    forest: Forest, tmp_path: Path
) -> None:
    kinds = ["plain", "daemon", "deaf_daemon", "nameless"]
    async with PipelineExecutor(tmp_path / "store.db", launcher=NaiveLauncher()) as executor:
        await cancelled(executor, forest, kinds)
    assert forest.survivors()
