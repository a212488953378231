"""The executor beside a bare asyncio loop that does the same work and stores nothing.

Every workload is run in turn by both, in the same process, after one round that does not count.
The figures are medians; a ratio says more than a time, because both sides share the machine.

    python benchmarks/engine.py [--rounds N] [WORKLOAD ...]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from orchestrate_tui import PipelineExecutor
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Pipeline, Simulation, Stage
from orchestrate_tui.domain.status import RunStatus

NOTHING = Agent(name="nothing", kind=AgentKind.SIMULATED, simulated=Simulation())
TRUE = Agent(name="true", kind=AgentKind.COMMAND, command=("/bin/true",))


def stage(name: str, agent: Agent = NOTHING, depends_on: tuple[str, ...] = ()) -> Stage:
    return Stage(name=name, agent=agent.name, task="work", depends_on=depends_on)


def chain(length: int) -> Pipeline:
    stages = [stage(f"s{i}", depends_on=(f"s{i - 1}",) if i else ()) for i in range(length)]
    return pipeline("chain", stages)


def fan_out(width: int) -> Pipeline:
    middle = [stage(f"s{i}", depends_on=("first",)) for i in range(width)]
    last = stage("last", depends_on=tuple(one.name for one in middle))
    return pipeline("fan-out", [stage("first"), *middle, last], max_parallel=width)


def layers(depth: int, width: int) -> Pipeline:
    choose = random.Random(7)
    stages = []
    for layer in range(depth):
        for place in range(width):
            parents = {f"{layer - 1}-{choose.randrange(width)}" for _ in range(3)} if layer else ()
            stages.append(stage(f"{layer}-{place}", depends_on=tuple(sorted(parents))))
    return pipeline("layers", stages, max_parallel=depth * width)


def processes(count: int, at_once: int) -> Pipeline:
    return pipeline("processes", [stage(f"s{i}", TRUE) for i in range(count)], max_parallel=at_once)


def pipeline(name: str, stages: list[Stage], max_parallel: int = 8) -> Pipeline:
    agents = (NOTHING, TRUE)
    return Pipeline(name=name, agents=agents, max_parallel=max_parallel, stages=tuple(stages))


async def floor(work: Pipeline) -> None:
    """Run the graph with bare asyncio: no store, no record, no supervision."""
    graph = StageGraph.of(work.stages)
    stages = {one.name: one for one in work.stages}
    missing = {name: len(graph.dependencies[name]) for name in graph.names}
    places = asyncio.Semaphore(work.max_parallel)
    async with asyncio.TaskGroup() as tasks:

        async def run(name: str) -> None:
            async with places:
                await do(stages[name])
            for dependant in graph.dependants[name]:
                missing[dependant] -= 1
                if not missing[dependant]:
                    tasks.create_task(run(dependant))

        for name, count in list(missing.items()):
            if not count:
                tasks.create_task(run(name))


async def do(one: Stage) -> None:
    if one.agent == TRUE.name:
        process = await asyncio.create_subprocess_exec(
            *TRUE.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        await process.communicate()


async def ours(executor: PipelineExecutor, work: Pipeline) -> None:
    run = await executor.execute_run(await executor.create_run(work))
    if run.status is not RunStatus.SUCCEEDED:
        raise SystemExit(f"{work.name} {run.status}: {run.reason}")


async def timed(call: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


WORKLOADS = {
    "chain of 1,000 no-op stages": chain(1000),
    "fan-out 1 → 1,000 → 1": fan_out(1000),
    "20 layers of 50, three parents each": layers(20, 50),
    "200 x /bin/true, eight at a time": processes(200, 8),
}


async def measure(rounds: int, wanted: list[str]) -> None:
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {rounds} rounds")
    print(f"{'workload':38} {'floor':>9} {'executor':>9} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        async with PipelineExecutor(Path(folder, "bench.db")) as executor:
            for name, work in WORKLOADS.items():
                if not wanted or any(word in name for word in wanted):
                    await compare(executor, name, work, rounds)


async def compare(executor: PipelineExecutor, name: str, work: Pipeline, rounds: int) -> None:
    pairs = []
    for _ in range(rounds + 1):
        bare = await timed(lambda: floor(work))
        full = await timed(lambda: ours(executor, work))
        pairs.append((bare, full))
    bares, fulls = zip(*pairs[1:], strict=True)
    ratio = statistics.median(full / bare for bare, full in pairs[1:])
    print(
        f"{name:38} {statistics.median(bares):8.3f}s {statistics.median(fulls):8.3f}s {ratio:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("workloads", nargs="*", help="words of the workloads to run")
    arguments = parser.parse_args()
    anyio.run(measure, arguments.rounds, arguments.workloads)


if __name__ == "__main__":
    main()
