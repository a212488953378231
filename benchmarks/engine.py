"""Runs a graph once with one of our own subjects, and says what that took.

    python -m benchmarks.engine ours|bare|sqlite SHAPE SIZE... [--runs N]

`bare` is a loop of asyncio that does the same work and stores nothing, the floor; `sqlite` commits
two changes for each stage, one stage after the other, and does no work at all.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from benchmarks.shapes import Shape, chain, shape
from benchmarks.subject import report
from orchestrate_tui import PipelineExecutor
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Pipeline, Simulation, Stage
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.stagehost.starting import start_ahead

NOTHING = Agent(name="nothing", kind=AgentKind.SIMULATED, simulated=Simulation())
WARM_UP = chain(50)


def pipeline(work: Shape) -> Pipeline:
    """The pipeline of a graph, each stage with an agent that does nothing or runs its command."""
    agent = NOTHING
    if work.command:
        agent = Agent(name="program", kind=AgentKind.COMMAND, command=work.command)
    stages = tuple(
        Stage(name=name, agent=agent.name, task="work", depends_on=parents)
        for name, parents in work.dependencies.items()
    )
    return Pipeline(name=work.name, agents=(agent,), max_parallel=work.at_once, stages=stages)


async def ours(work: Shape, runs: int) -> None:
    start_ahead()  # as every command does that is going to start programs
    async with PipelineExecutor(Path("bench.db")) as executor:
        await _run(executor, pipeline(WARM_UP))
        defined = pipeline(work)

        async def all_runs() -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(runs):
                    tasks.create_task(_run(executor, defined))

        await timed(all_runs)


async def _run(executor: PipelineExecutor, defined: Pipeline) -> None:
    run = await executor.execute_run(await executor.create_run(defined))
    if run.status is not RunStatus.SUCCEEDED:
        raise SystemExit(f"{defined.name} {run.status}: {run.reason}")


async def bare(work: Shape, runs: int) -> None:
    await run_bare(WARM_UP)

    async def all_runs() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(runs):
                tasks.create_task(run_bare(work))

    await timed(all_runs)


async def run_bare(work: Shape) -> None:
    """Run the graph with bare asyncio: no store, no record, no supervision."""
    missing = {name: len(parents) for name, parents in work.dependencies.items()}
    dependants: dict[str, list[str]] = {name: [] for name in missing}
    for name, parents in work.dependencies.items():
        for parent in parents:
            dependants[parent].append(name)
    places = asyncio.Semaphore(work.at_once)
    async with asyncio.TaskGroup() as tasks:

        async def run(name: str) -> None:
            async with places:
                await _do(work.command)
            for dependant in dependants[name]:
                missing[dependant] -= 1
                if not missing[dependant]:
                    tasks.create_task(run(dependant))

        for name in [name for name, count in missing.items() if not count]:
            tasks.create_task(run(name))


async def _do(command: tuple[str, ...]) -> None:
    if command:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        await process.communicate()


async def sqlite(work: Shape, runs: int) -> None:
    database = sqlite3.connect("bench.db", isolation_level=None)
    for text in (
        "PRAGMA journal_mode = wal",
        "PRAGMA synchronous = full",
        "CREATE TABLE stages (id INTEGER PRIMARY KEY, name TEXT, status TEXT)",
        "CREATE TABLE events (id INTEGER PRIMARY KEY, stage INTEGER, status TEXT)",
    ):
        database.execute(text)
    _commit_each(database, WARM_UP)

    async def all_runs() -> None:
        for _ in range(runs):
            _commit_each(database, work)

    await timed(all_runs)
    database.close()


def _commit_each(database: sqlite3.Connection, work: Shape) -> None:
    for name in work.dependencies:
        database.execute("BEGIN IMMEDIATE")
        stage = database.execute("INSERT INTO stages (name) VALUES (?)", (name,)).lastrowid
        database.execute("INSERT INTO events (stage, status) VALUES (?, 'ended')", (stage,))
        database.execute("COMMIT")


async def timed(work: Callable[[], Awaitable[None]]) -> None:
    gc.collect()  # what was left over from the start is not of the work
    clock, cpu = time.perf_counter(), time.process_time()
    await work()
    report(time.perf_counter() - clock, time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject", choices=("ours", "bare", "sqlite"))
    parser.add_argument("shape", nargs="+", metavar="SHAPE SIZE")
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    subjects = {"ours": ours, "bare": bare, "sqlite": sqlite}
    anyio.run(subjects[arguments.subject], shape(arguments.shape), arguments.runs)


if __name__ == "__main__":
    main()
