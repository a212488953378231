"""An owner is stopped, its run is taken over, it goes on writing: nothing of that is kept."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from orchestrate_tui.store import open_database
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import take_over, take_over_rollback
from orchestrate_tui.store.history import read_run
from tests.store.scenery import Store, taking
from tests.torture.conftest import Amount, Figure

REPOSITORY = Path(__file__).parents[2]
PAUSES_S = (0.0, 0.001, 0.01, 0.05)
TABLES = ("runs", "stages", "rollback_events", "rollback_steps", "approvals", "events", "commands")


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    connection.close()
    return found


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def steal(store: Store, run_id: int, rollback_id: int, owner: int) -> None:
    takeover = taking(store.epoch)

    def change(connection: Connection) -> None:
        status = read_run(connection, run_id).status
        take_over(connection, run_id, seen=owner, status=status, takeover=takeover)
        take_over_rollback(connection, run_id, rollback_id, seen=owner, takeover=takeover)

    store.database.write(change)


def attack(path: Path, rng: random.Random, how: str, count: int) -> tuple[int, bool]:
    """How many late writes their writer takes for kept, and whether the database differs."""
    with open_database(path) as database:
        store = Store.of(database)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.fenced", str(path), how],
            cwd=REPOSITORY, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        try:
            run_id, rollback_id, owner = map(int, process.stdout.readline().split())
            stop(process)
            steal(store, run_id, rollback_id, owner)
            before = contents(path)
            process.stdin.write(f"{count}\n")
            process.stdin.flush()
            process.send_signal(signal.SIGCONT)
            for _ in range(20):
                time.sleep(rng.random() / 50)
                stop(process)
                time.sleep(rng.choice(PAUSES_S))
                process.send_signal(signal.SIGCONT)
            kept = int(process.stdout.readline())
        finally:
            process.kill()
            process.communicate()
            store.owner.release()
        return kept, contents(path) != before


@pytest.mark.attack("fenced writers")
def test_no_late_write_of_an_owner_that_was_stopped_is_kept(
    rng: random.Random, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    rounds, count = amount(short=3, long=20), amount(short=700, long=5000)
    kept, differs = zip(
        *(partial(attack, how="guarded", count=count)(tmp_path / f"{n}.db", rng)
          for n in range(rounds)), strict=True,
    )  # fmt: skip
    assert sum(kept) == 0
    assert not any(differs)
    figure("late writes", f"{rounds * count}, of which {sum(kept)} were kept")


@pytest.mark.control("fenced writers")
def test_without_asking_for_the_owner_late_writes_are_kept(
    rng: random.Random, tmp_path: Path
) -> None:
    kept, differs = attack(tmp_path / "store.db", rng, "careless", 50)
    assert kept == 50
    assert differs
