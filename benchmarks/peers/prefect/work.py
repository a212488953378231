"""A flow of Prefect, each stage a task of it, with the server that it starts."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from benchmarks.shapes import Shape, chain
from benchmarks.subject import read_work, timed


@task
def stage(command: tuple[str, ...]) -> None:
    if command:
        subprocess.run(command, capture_output=True, check=True)


def run(work: Shape) -> None:
    runner = ThreadPoolTaskRunner(max_workers=min(work.at_once, 8))
    flow(name=work.name, task_runner=runner, validate_parameters=False)(_follow)(work)


def _follow(work: Shape) -> None:
    futures = {}
    for name, parents in work.dependencies.items():
        waits = [futures[parent] for parent in parents]
        futures[name] = stage.submit(work.command, wait_for=waits)
    for future in futures.values():
        future.result()


def run_all(work: Shape, runs: int) -> None:
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(run, [work] * runs))


def main() -> None:
    logging.disable(logging.CRITICAL)
    work, runs = read_work(sys.argv[1:])
    run_all(chain(10), 1)  # which starts its server
    timed(lambda: run_all(work, runs))


if __name__ == "__main__":
    main()
