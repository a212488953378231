"""Databases of SQLite: copied as they are committed, put back only while nobody has them open."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from orchestrate_tui.snapshots.errors import InUse, SnapshotError
from orchestrate_tui.snapshots.holders import named
from orchestrate_tui.store.foreign import copy_database
from tests.unit.snapshots.shelf import Shelf

ROWS, EACH = 2000, 1000
PREPARE = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("PRAGMA synchronous = OFF")
"""
DIES_WRITING = f"""{PREPARE}
db.execute(f"PRAGMA journal_mode = {{sys.argv[2]}}")
db.execute("PRAGMA cache_size = 5")
db.execute("CREATE TABLE t (x)")
db.execute("INSERT INTO t VALUES (1)")
db.execute("BEGIN")
db.executemany("INSERT INTO t VALUES (2 + length(?))", [(b"x" * 3000,)] * 300)
db.execute("CREATE TABLE u AS SELECT randomblob(3000) FROM t")
os.kill(os.getpid(), signal.SIGKILL)
"""
MOVES_MONEY = f"""{PREPARE}
while True:
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE t SET n = n - 1 WHERE id = 1")
    db.execute("UPDATE t SET n = n + 1 WHERE id = {ROWS - 1}")
    db.execute("COMMIT")
    os.write(1, b".")
"""
READS = f"""{PREPARE}
db.execute("SELECT count(*) FROM t").fetchall()
os.write(1, b".")
sys.stdin.read()
"""


@contextmanager
def process(script: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has said a first word, until it is killed."""
    words = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.read(1)
        try:
            yield started
        finally:
            started.kill()


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


@pytest.fixture
def accounts(work: Path) -> Path:
    path = work / "app.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n, pad)")
        many = ((number, EACH, bytes(3000)) for number in range(ROWS))
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", many)
    return path


@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
@pytest.mark.parametrize("pattern", ["d", "d/app.db"])
def test_what_somebody_left_who_died_while_writing_is_kept_as_it_was_committed(
    work: Path, shelf: Shelf, mode: str, pattern: str
) -> None:
    (work / "d").mkdir()
    path = work / "d/app.db"
    subprocess.run([sys.executable, "-c", DIES_WRITING, path, mode], check=False)
    left = {name: (work / "d" / name).read_bytes() for name in ("app.db", f"app.db-{END[mode]}")}
    manifest = shelf.take(work, pattern)
    assert {name: (work / "d" / name).read_bytes() for name in left} == left
    assert rows(path) == [1]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO t VALUES (9)")
    shelf.restore(manifest)
    assert os.listdir(work / "d") == ["app.db"]
    assert rows(path) == [1]
    assert not list(shelf.folder.glob("scratch*"))


END = {"DELETE": "journal", "TRUNCATE": "journal", "PERSIST": "journal", "WAL": "wal"}


def test_what_opens_and_closes_the_file_meanwhile_takes_no_lock_from_the_copy(
    accounts: Path, tmp_path: Path
) -> None:
    done = Event()

    def look() -> None:
        while not done.wait(0.0005):
            os.close(os.open(accounts, os.O_RDONLY))

    looking = Thread(target=look)
    looking.start()
    with process(MOVES_MONEY, accounts) as writer:
        assert writer.stdout
        for _ in range(5):
            copy_database(accounts, tmp_path / "copy")
            with closing(sqlite3.connect(tmp_path / "copy")) as copy:
                assert copy.execute("SELECT sum(n) FROM t").fetchone() == (ROWS * EACH,)
    done.set()
    looking.join()


def test_what_is_no_database_although_it_says_so_is_refused_by_name_while_it_is_open(
    work: Path, shelf: Shelf
) -> None:
    (work / "app.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    script = "import sys; f = open(sys.argv[1]); print('.', flush=True); sys.stdin.read()"
    refused = pytest.raises(SnapshotError, match=r"app\.db: file is not a database")
    with process(script, work / "app.db"), refused:
        shelf.take(work, "app.db")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_who_cannot_be_seen_is_noticed_by_the_locks_of_sqlite(
    work: Path, shelf: Shelf, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = work / "app.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE t (x)")
    manifest = shelf.take(work, "app.db")
    monkeypatch.setattr("orchestrate_tui.snapshots.restore.holders_of", lambda _: ())
    lock = 'db.execute("BEGIN EXCLUSIVE")' if mode == "DELETE" else ""
    with process(READS.replace("os.write", f"{lock}\nos.write"), path) as holder:
        with pytest.raises(InUse) as refused:
            shelf.restore(manifest)
        assert f"app.db' is in use by {named(holder.pid)}" in str(refused.value)
    assert shelf.restore(manifest) == 1


def test_a_file_that_was_just_written_is_known_again_next_time(work: Path, shelf: Shelf) -> None:
    (work / "file").write_text("now")
    (place,) = shelf.take(work, "file").places
    assert place.entries[0].seen
