"""Tasks of doit; what is done is written to its SQLite file when all have ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

from benchmarks.shapes import Shape, chain
from benchmarks.subject import read_work, timed


def act(command: tuple[str, ...]) -> bool:
    if command:
        subprocess.run(command, capture_output=True, check=True)
    return True


def run_all(work: Shape, runs: int, database: str) -> None:
    """doit runs everything that it is given as one graph."""

    def task_stage() -> Iterator[dict[str, object]]:
        for number in range(runs):
            for name, parents in work.dependencies.items():
                yield {
                    "name": f"{number}-{name}",
                    "actions": [(act, [work.command])],
                    "task_dep": [f"stage:{number}-{parent}" for parent in parents],
                }

    config = {
        "backend": "sqlite3",
        "dep_file": database,
        "verbosity": 0,
        "reporter": "zero",
        "num_process": work.at_once if work.command else 0,
        "par_type": "thread",
    }
    names = {"task_stage": task_stage, "DOIT_CONFIG": config}
    if DoitMain(ModuleTaskLoader(names)).run(["run"]):
        sys.exit("a task failed")


def main() -> None:
    work, runs = read_work(sys.argv[1:])
    run_all(chain(50), 1, "warm-up.sqlite")
    timed(lambda: run_all(work, runs, "doit.sqlite"))


if __name__ == "__main__":
    main()
