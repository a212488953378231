"""Tasks of Luigi with its local scheduler; what is done is a file that each leaves behind."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import luigi

from benchmarks.shapes import Shape, chain
from benchmarks.subject import read_work, timed

WORK: dict[str, Shape] = {}


class Stage(luigi.Task):
    run_id = luigi.Parameter()
    shape = luigi.Parameter()
    name = luigi.Parameter()

    def requires(self) -> list[Stage]:
        parents = WORK[self.shape].dependencies[self.name]
        return [Stage(run_id=self.run_id, shape=self.shape, name=one) for one in parents]

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"done/{self.run_id}/{self.name}")

    def run(self) -> None:
        if command := WORK[self.shape].command:
            subprocess.run(command, capture_output=True, check=True)
        with self.output().open("w"):
            pass


def run_all(shape: str, runs: int) -> None:
    """Luigi runs everything that it is given as one graph."""
    tasks = [
        Stage(run_id=f"{shape}-{number}", shape=shape, name=name)
        for number in range(runs)
        for name in WORK[shape].dependencies
    ]
    workers = WORK[shape].at_once if WORK[shape].command else 1
    if not luigi.build(tasks, local_scheduler=True, workers=workers, log_level="CRITICAL"):
        sys.exit("a task failed")


def main() -> None:
    logging.disable(logging.CRITICAL)
    work, runs = read_work(sys.argv[1:])
    WORK.update(warm_up=chain(50), work=work)
    run_all("warm_up", 1)
    timed(lambda: run_all("work", runs))
    assert len(list(Path("done").glob("work-*/*"))) == runs * len(work.dependencies)


if __name__ == "__main__":
    main()
