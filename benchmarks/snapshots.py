"""Ten thousand small files, kept and put back, beside `cp -a` of the same folder.

Each round copies the folder, has a stage keep it (a whole run, recorded in its database), has
another run keep it unchanged, changes every file, and has a rollback put it back. The figures are
medians; the ratios say more than the times, because all share the machine. What `cp -a` writes is
not synced; what is kept and put back is. Nothing is removed between two measurements: an ext4
without a journal takes longer to make files where many were removed in the last minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable
from pathlib import Path

from orchestrate_tui import PipelineExecutor, RollbackStatus
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Pipeline, Simulation, Snapshot, Stage
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.inode_flags import lay_apart

IN_A_FOLDER = 100
COPY, FIRST, AGAIN, RESTORE = "cp -a", "kept", "kept again, unchanged", "put back"
NOTHING = Agent(name="nothing", kind=AgentKind.SIMULATED, simulated=Simulation())
PIPELINE = Pipeline(
    name="benchmark",
    agents=(NOTHING,),
    stages=(Stage(name="keep", agent="nothing", task="-", snapshot=Snapshot(paths=("tree",))),),
)


def write_tree(tree: Path, files: int, size: int, seed: int) -> None:
    content = random.Random(seed)
    for number in range(files):
        folder = tree / str(number // IN_A_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number}").write_bytes(content.randbytes(size))


def digest(tree: Path) -> str:
    words = ["tar", "--sort=name", "-cf", "-", "-C", str(tree), "."]
    packed = subprocess.run(words, capture_output=True, check=True).stdout
    return str(hash(packed))


async def measured(work: Awaitable[object]) -> tuple[float, object]:
    started = time.perf_counter()
    result = await work
    return time.perf_counter() - started, result


async def keep(executor: PipelineExecutor, work: Path) -> int:
    run_id = await executor.create_run(PIPELINE, workdir=work)
    run = await executor.execute_run(run_id)
    assert run.status is RunStatus.SUCCEEDED, run.reason
    return run_id


def apart(folder: Path) -> None:
    """Let each round begin where nothing was removed of late."""
    descriptor = os.open(folder, os.O_RDONLY)
    lay_apart(descriptor)
    os.close(descriptor)


def copied(tree: Path) -> float:
    copy = tree.with_name("copy")
    started = time.perf_counter()
    subprocess.run(["cp", "-a", tree, copy], check=True)
    return time.perf_counter() - started


async def round_of(folder: Path, files: int, size: int) -> dict[str, float]:
    tree = folder / "work" / "tree"
    write_tree(tree, files, size, seed=1)
    os.sync()
    found = {COPY: copied(tree)}
    before = digest(tree)
    async with PipelineExecutor(folder / "state" / "store.db") as executor:
        found[FIRST], _ = await measured(keep(executor, tree.parent))
        found[AGAIN], run_id = await measured(keep(executor, tree.parent))
        assert isinstance(run_id, int)
        write_tree(tree, files, size, seed=2)
        os.sync()
        found[RESTORE], event = await measured(
            executor.trigger_rollback(run_id, "keep", reason="benchmark")
        )
    for thread in threading.enumerate():
        if thread.name == "snapshot-trash":  # what was put out of its place
            thread.join()
    assert getattr(event, "status", None) is RollbackStatus.SUCCEEDED, event
    assert digest(tree) == before
    return found


def rounds_of(folder: Path, rounds: int, files: int, size: int) -> dict[str, list[float]]:
    """The seconds of each round, by what was done."""
    found: dict[str, list[float]] = defaultdict(list)
    apart(folder)
    for number in range(rounds):
        for name, seconds in asyncio.run(round_of(folder / str(number), files, size)).items():
            found[name].append(seconds)
    return found
