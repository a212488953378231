"""Processes that share one database: `python -m tests.torture.writers DATABASE SECONDS HOW`.

HOW is `work`, which starts and ends runs of its own and says the id of each, or `recover`, which
looks for runs of dead executors and says whose it found; `careless` and `hasty` are the same
without what makes them safe.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store import Database, connection, locks, open_database, recovery
from orchestrate_tui.store.database import StoreFiles
from tests.store.scenery import Store, starting, succeeding

HASTE_S = 0.05


def say(text: object) -> None:
    print(text, flush=True)  # noqa: T201


def work(database: Database, until: float) -> None:
    """Start and end runs, one after the other; finally say what the longest write took."""
    store = Store.of(database)
    longest_s = 0.0
    while (began := time.monotonic()) < until:
        run_id = store.new_run()
        store.change_run(run_id, RunStatus.PENDING, RunStatus.RUNNING)
        store.change_stages(run_id, starting())
        store.change_stages(run_id, succeeding())
        store.change_run(run_id, RunStatus.RUNNING, RunStatus.SUCCEEDED)
        longest_s = max(longest_s, (time.monotonic() - began) / 5)
        say(run_id)
    store.owner.release()
    say(f"longest {longest_s}")


def recover(database: Database, until: float) -> None:
    """Mark what dead executors left, again and again."""
    while time.monotonic() < until:
        for run_id in recovery.mark_interrupted(database, utc_now()):
            say(f"interrupted {run_id}")
        time.sleep(HASTE_S / 5)


def without_locks() -> None:
    """Let nobody wait for anybody."""

    @contextmanager
    def held(_: locks.FileLock) -> Iterator[None]:
        yield

    locks.FileLock.held = held  # type: ignore[assignment, method-assign]
    connection.BUSY_TIMEOUT_S = 0.0


def judging_by_clock() -> None:
    """Take for dead whoever has not moved for a moment."""
    moved: dict[int | None, tuple[int, float]] = {}

    def is_alive(files: StoreFiles, epoch: int | None) -> bool:
        lock = files.owner_lock(epoch or 0)
        if not lock.exists():
            return False
        size = Path(f"{files.database}-wal").stat().st_mtime_ns
        before, since = moved.setdefault(epoch, (size, time.monotonic()))
        if before != size:
            moved[epoch] = size, time.monotonic()
        return before != size or time.monotonic() - since < HASTE_S

    recovery.is_alive = is_alive  # type: ignore[attr-defined]
    recovery.works_here = lambda *_: False  # type: ignore[attr-defined]


PREPARATIONS: dict[str, tuple[Callable[[Database, float], None], Callable[[], None]]] = {
    "work": (work, lambda: None),
    "recover": (recover, lambda: None),
    "careless": (work, without_locks),
    "hasty": (recover, judging_by_clock),
}


def main(path: str, seconds: str, how: str) -> None:
    do, prepare = PREPARATIONS[how]
    prepare()
    with open_database(path) as database:
        say("ready")
        do(database, time.monotonic() + float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
