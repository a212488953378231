"""A writer that ends in every way and starts again, as a program of its own.

    python restarting.py FOLDER GROUP RESTARTS SEED

What it has committed stands in the file `acknowledged` before it commits more. It goes on until it
has restarted often enough and its readers have left a file `enough-…` each.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import sqlite3
import struct
import sys
import time
from functools import partial
from pathlib import Path

from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.connection import connect_writer
from orchestrate_tui.store.locks import FileLock

ROWS = 30
READERS = 2
_NUMBER = struct.Struct("q")


class Acknowledged:
    """The number of the last commit that was acknowledged, shared between processes."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        descriptor = os.open(path, os.O_RDWR if write else os.O_RDONLY)
        access = mmap.ACCESS_WRITE if write else mmap.ACCESS_READ
        self._memory = mmap.mmap(descriptor, _NUMBER.size, access=access)
        os.close(descriptor)

    @property
    def number(self) -> int:
        return int(_NUMBER.unpack(self._memory[:])[0])

    @number.setter
    def number(self, value: int) -> None:
        self._memory[:] = _NUMBER.pack(value)


def prepare(folder: Path, group: str) -> None:
    """A database whose table holds one number in many pages."""
    with open_database(folder / "store.db", share_group=group) as database:
        database.write(lambda c: c.execute("CREATE TABLE pages (number INTEGER, filling TEXT)"))
        rows = [(0, "x" * 900)] * ROWS
        database.write(lambda c: c.executemany("INSERT INTO pages VALUES (?, ?)", rows).close())
    acknowledged = folder / "acknowledged"
    acknowledged.write_bytes(_NUMBER.pack(0))
    acknowledged.chmod(0o644)


def write(folder: Path, group: str, commits: int, chance: random.Random) -> Database:
    """Commit so many numbers, and now and then have the log moved into the database."""
    acknowledged = Acknowledged(folder / "acknowledged", write=True)
    database = open_database(folder / "store.db", share_group=group)
    for _ in range(commits):
        number = acknowledged.number + 1
        database.write(partial(put, number=number))
        acknowledged.number = number
        if chance.random() < 0.05:
            lock = FileLock(database.files.write_lock)
            with lock.held():
                connection = connect_writer(database.path)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.close()
            lock.close()
    return database


def put(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("UPDATE pages SET number = ?", (number,))


def live_and_end(folder: Path, group: str, chance: random.Random) -> None:
    """One writer, which closes the database, ends without, or is killed somewhere."""
    end = chance.choice(["close", "close", "leave", "killed", "killed early"])
    commits, life_s = chance.randint(1, 12), chance.random()
    child = os.fork()
    if not child:
        try:
            database = write(folder, group, 10**9 if end == "killed" else commits, chance)
            if end == "close":
                database.close()
        finally:
            os._exit(0)
    if end.startswith("killed"):
        time.sleep(0.01 + life_s * (0.05 if end == "killed" else 0.02))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if chance.random() < 0.3:
        time.sleep(chance.random() * 0.03)


def main(folder: Path, group: str, restarts: int, chance: random.Random) -> None:
    done = 0
    while done < restarts or len(list(folder.glob("enough-*"))) < READERS:
        live_and_end(folder, group, chance)
        done += 1
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), random.Random(sys.argv[4]))
