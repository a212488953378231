"""A durable workflow of DBOS, each stage a step of it, in its SQLite system database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable

from dbos import DBOS

from benchmarks.shapes import Shape, chain
from benchmarks.subject import read_work, timed

WORK: dict[str, Shape] = {}


@DBOS.step()
async def stage(command: list[str]) -> None:
    if command:
        await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)


@DBOS.workflow()
async def pipeline(name: str) -> None:
    """Wave after wave: steps have to begin in an order that a recovery can repeat."""
    work = WORK[name]
    places = asyncio.Semaphore(work.at_once)

    async def one() -> None:
        async with places:
            await stage(list(work.command))

    for wave in work.waves:
        await asyncio.gather(*(one() for _ in wave))


async def run_all(names: Iterable[str]) -> None:
    started = [await DBOS.start_workflow_async(pipeline, name) for name in names]
    for handle in started:
        await handle.get_result()


def main() -> None:
    work, runs = read_work(sys.argv[1:])
    WORK.update(warm_up=chain(50), work=work)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": "sqlite:///dbos.sqlite",
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    asyncio.run(run_all(["warm_up"]))
    timed(lambda: asyncio.run(run_all(["work"] * runs)))
    DBOS.destroy()


if __name__ == "__main__":
    main()
