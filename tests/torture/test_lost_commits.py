"""Bits flipped in what a killed process left in SQLite's log: lost commits are always missed."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.examination import check_database, check_record
from tests.torture.conftest import Amount, Figure

REPOSITORY = Path(__file__).parents[2]
DIE = """
import os, sys
from orchestrate_tui.store import open_database
from tests.store.scenery import Store
database = open_database(sys.argv[1])
store = Store.of(database)
for _ in range(40):
    store.ended_run("build", "deploy")
print(store.select("SELECT max(id) FROM events")[0][0], flush=True)
os.kill(os.getpid(), 9)
"""

Notices = Callable[[Path], bool]


@pytest.fixture
def left(tmp_path: Path) -> tuple[Path, int]:
    """The database of a process that was killed, and the last event that it was told is kept."""
    path = tmp_path / "left" / "store.db"
    died = subprocess.run(
        [sys.executable, "-c", DIE, str(path)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        check=False,
    )
    return path, int(died.stdout)


def last_event(path: Path) -> int:
    """The last event that is left; 0 when they cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT max(id) FROM events").fetchone()[0] or 0)
    except sqlite3.Error:
        return 0


def unnoticed(
    left: tuple[Path, int], rng: random.Random, count: int, notices: Notices
) -> tuple[int, int]:
    """Of so many flips, how many lost commits, and how often that went unnoticed."""
    path, last = left
    lost = missed = 0
    for attempt in range(count):
        folder = path.parent.with_name(f"copy-{attempt}")
        folder.mkdir()
        for file in path.parent.glob("store.db*"):
            if file.is_file() and not file.name.endswith("-shm"):
                shutil.copy(file, folder)
        copy = folder / path.name
        log = folder / "store.db-wal"
        content = bytearray(log.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        log.write_bytes(content)
        noticed = notices(copy)
        if last_event(copy) < last:
            lost += 1
            missed += not noticed
        shutil.rmtree(folder)
    return lost, missed


def complains(*checks: Callable[[Path], object]) -> Notices:
    def notices(path: Path) -> bool:
        try:
            for check in checks:
                check(path)
        except StoreError:
            return True
        return False

    return notices


@pytest.mark.attack("lost commits")
def test_commits_lost_from_the_log_are_always_noticed(
    left: tuple[Path, int], rng: random.Random, amount: Amount, figure: Figure
) -> None:
    count = amount(short=8, long=500)
    lost, missed = unnoticed(left, rng, count, complains(check_database, check_record))
    assert lost > 0
    assert missed == 0
    figure("flips that lost commits", f"{lost} of {count}, all noticed")


@pytest.mark.control("lost commits")
def test_without_the_head_beside_the_database_they_are_not(
    left: tuple[Path, int], rng: random.Random
) -> None:
    lost, missed = unnoticed(left, rng, 6, complains(check_database))
    assert missed > lost // 2
