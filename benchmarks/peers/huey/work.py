"""Tasks of huey in a SQLite queue; each enqueues those that have waited for it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

from huey import SqliteHuey

from benchmarks.shapes import Shape, chain
from benchmarks.subject import read_work, timed

WORKERS = 8

logging.disable(logging.WARNING)
huey = SqliteHuey(filename="huey.sqlite")
progress: list[Progress] = []


class Progress:
    """Which stages of one run still wait; in memory only, huey has no graphs."""

    def __init__(self, work: Shape) -> None:
        self.work = work
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._left = len(work.dependencies)
        self._missing = {name: len(parents) for name, parents in work.dependencies.items()}
        self._dependants: dict[str, list[str]] = {name: [] for name in work.dependencies}
        for name, parents in work.dependencies.items():
            for parent in parents:
                self._dependants[parent].append(name)

    @property
    def first(self) -> list[str]:
        return [name for name, count in self._missing.items() if not count]

    def done(self, name: str) -> list[str]:
        """The stages that waited for this one only."""
        with self._lock:
            self._left -= 1
            if not self._left:
                self.ended.set()
            for dependant in self._dependants[name]:
                self._missing[dependant] -= 1
            return [one for one in self._dependants[name] if not self._missing[one]]


@huey.task()
def stage(run: int, name: str) -> bool:
    mine = progress[run]
    if mine.work.command:
        subprocess.run(mine.work.command, capture_output=True, check=True)
    for following in mine.done(name):
        stage(run, following)
    return True


def run_all(work: Shape, runs: int) -> None:
    new = [Progress(work) for _ in range(runs)]
    for one in new:
        progress.append(one)
        for name in one.first:
            stage(len(progress) - 1, name)
    for one in new:
        one.ended.wait()


def main() -> None:
    work, runs = read_work(sys.argv[1:])
    consumer = huey.create_consumer(
        workers=WORKERS, worker_type="thread", initial_delay=0.01, backoff=1, periodic=False
    )
    consumer.start()
    run_all(chain(50), 1)
    timed(lambda: run_all(work, runs))
    consumer.stop(graceful=True)


if __name__ == "__main__":
    main()
