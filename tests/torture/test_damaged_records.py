"""Bits flipped and values changed in events: every event that is not what was written is found."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.chain import COLUMNS, START
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.head import read_head
from orchestrate_tui.store.reading import connect
from orchestrate_tui.store.soundness import verdict_on
from orchestrate_tui.store.verification import missing_end, verify
from tests.store.scenery import Store
from tests.torture.conftest import Amount, Figure

Complains = Callable[[Path], bool]
Finds = Callable[[sqlite3.Connection], bool]

RUNS = 12
ROW_BYTES = 150
"""So much of the file before the hash of an event is that event's, and some of its neighbour's."""

CHANGES = {
    "id": "(SELECT max(id) + 1 FROM events)",
    "run_id": "run_id + 1",
    "at": "substr(at, 1, 25) || '9Z'",
    "kind": "kind || '_'",
    "stage_name": "CASE WHEN stage_name IS NULL THEN '' ELSE NULL END",
    "rollback_id": "1",
    "from_status": "coalesce(from_status, '') || '_'",
    "to_status": "upper(to_status)",
    "attempt": "coalesce(attempt, 0) + 1",
    "actor": "actor || ' '",
    "detail": "CAST(x'80' AS TEXT)",
    "hash": "zeroblob(32)",
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A database at rest, with some hundred events."""
    path = tmp_path / "store.db"
    with open_database(path) as database:
        store = Store.of(database)
        for _ in range(RUNS):
            store.ended_run("build", "deploy", "smoke-test", "integration-test", "publish")
        store.owner.release()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_are_not_altered")
        connection.execute("DROP TRIGGER events_are_not_deleted")
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, "mode=ro&immutable=1")) as connection:
        yield connection


def events(path: Path) -> list[tuple[object, ...]] | None:
    """All there is of all events; None when they cannot be read."""
    try:
        with reading(path) as connection:
            connection.text_factory = bytes
            query = f"SELECT {COLUMNS}, hash, typeof(detail), typeof(hash) FROM events ORDER BY id"
            return [tuple(row) for row in connection.execute(query)]
    except sqlite3.Error:
        return None


def chain_complains(path: Path) -> bool:
    """Whether a complete verification of the events finds anything."""
    try:
        with reading(path) as connection:
            return bool(verdict_on(connection, StoreFiles(path), START).damage)
    except (sqlite3.Error, StoreError):
        return True


def sqlite_complains(path: Path) -> bool:
    """Whether SQLite's own check does, which is all there would be without the chain."""
    try:
        with reading(path) as connection:
            (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return bool(answer != "ok")
    except (sqlite3.Error, StoreError):
        return True


@contextmanager
def flipped(path: Path, position: int, bit: int) -> Iterator[None]:
    """One bit of the file is another one during the block."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        (before,) = os.pread(descriptor, 1, position)
        os.pwrite(descriptor, bytes([before ^ 1 << bit]), position)
        try:
            yield
        finally:
            os.pwrite(descriptor, bytes([before]), position)
    finally:
        os.close(descriptor)


def bits_of_events(path: Path, rng: random.Random, count: int) -> Iterator[tuple[int, int]]:
    """Random bits of the bytes in which random events lie."""
    content = path.read_bytes()
    hashes = [event[-3] for event in events(path) or ()]
    for _ in range(count):
        digest = rng.choice(hashes)
        assert isinstance(digest, bytes)
        end = content.rindex(digest) + len(digest)
        yield rng.randrange(end - ROW_BYTES, end), rng.randrange(8)


def missed(path: Path, rng: random.Random, count: int, complains: Complains) -> tuple[int, int]:
    """How many flips changed an event, and how many of these nobody complained of."""
    before = events(path)
    changed = unnoticed = 0
    for position, bit in bits_of_events(path, rng, count):
        with flipped(path, position, bit):
            if events(path) != before:
                changed += 1
                unnoticed += not complains(path)
    return changed, unnoticed


@pytest.mark.attack("damaged records")
def test_every_event_in_which_a_bit_is_flipped_is_found(
    written: Path, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    assert not chain_complains(written)
    changed, unnoticed = missed(written, rng, amount(short=400, long=20_000), chain_complains)
    assert changed > 100
    assert unnoticed == 0
    figure("flips that changed an event", f"{changed}, all found")


@pytest.mark.control("damaged records")
def test_without_the_chain_most_of_them_are_missed(
    written: Path, rng: random.Random, figure: Figure
) -> None:
    changed, unnoticed = missed(written, rng, 200, sqlite_complains)
    assert unnoticed > changed // 2
    figure("without the chain", f"{unnoticed} of {changed} missed")


def unguarded(path: Path, rng: random.Random, count: int, finds: Finds) -> set[str]:
    """The columns that can be changed, in one of so many random events, without being found."""
    left = set()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        ids = [event_id for (event_id,) in connection.execute("SELECT id FROM events")]
        for column, value in CHANGES.items():
            change = f"UPDATE events SET {column} = {value} WHERE id = ?"
            for event_id in rng.sample(ids, count):
                connection.execute("BEGIN")
                connection.execute(change, (event_id,))
                if not finds(connection):
                    left.add(column)
                connection.execute("ROLLBACK")
    return left


@pytest.mark.attack("changed columns")
def test_every_column_of_every_event_is_guarded(
    written: Path, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    files = StoreFiles(written)

    def finds(connection: sqlite3.Connection) -> bool:
        is_cut = missing_end(connection, read_head(files.head), files.head.name)
        return bool(verify(connection).damage) or is_cut is not None

    count = amount(short=10, long=100)
    assert unguarded(written, rng, count, finds) == set()
    figure("changes of a column", f"{count * len(CHANGES)}, all found")


@pytest.mark.control("changed columns")
def test_without_the_chain_only_the_order_is_guarded(written: Path, rng: random.Random) -> None:
    def finds(connection: sqlite3.Connection) -> bool:
        (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        ids = [event_id for (event_id,) in connection.execute("SELECT id FROM events ORDER BY id")]
        return answer != "ok" or ids != list(range(1, len(ids) + 1))

    assert unguarded(written, rng, 2, finds) == CHANGES.keys() - {"id"}
