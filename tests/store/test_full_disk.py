"""A disk without room: who is patient waits, nobody is told a lie, and it goes on by itself."""

from __future__ import annotations

import fcntl
import sqlite3
import struct
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import StoreError, Unrecorded
from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.chain import START, last_event
from orchestrate_tui.store.connection import ImmediateConnection
from orchestrate_tui.store.examination import check_record
from orchestrate_tui.store.opening import MARKED_EVERY
from orchestrate_tui.store.record import record
from orchestrate_tui.store.trouble import Trouble, TroubleMark, trouble_at
from orchestrate_tui.store.verification import verified_mark
from tests.small_disk import fill, small_disk
from tests.store.conftest import Spawn
from tests.store.scenery import Store
from tests.store.test_writer import adding, words

LARGE = "x" * 200_000
PATIENCE_S = 60


class Disk:
    """A database whose disk can be made full: SQLite may use no further page."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._connection = database._writer._connection

    def fill(self) -> None:
        self._limit(0)

    def free(self) -> None:
        self._limit(10**6)

    def _limit(self, more: int) -> None:
        """Whoever has the lock is sure that the thread that writes is in no transaction."""
        with self.database.files.write_lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
            self._connection.execute(f"PRAGMA max_page_count = {pages + more}").fetchone()

    def patiently(self, word: str) -> Future[str]:
        return self.database.submit(adding(word), is_patient=True)

    def wait_for_trouble(self) -> str:
        poll = Event()
        while not self.database.trouble:
            poll.wait(0.01)
        return self.database.trouble


@pytest.fixture
def disk(database: Database) -> Disk:
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    database.write(adding("before"))
    return Disk(database)


def test_a_patient_change_waits_and_is_made_when_there_is_room(disk: Disk) -> None:
    disk.fill()
    future = disk.patiently(LARGE)
    assert disk.wait_for_trouble() == f"The disk is full: {disk.database.path} cannot be written"
    assert not future.done()
    disk.free()
    assert future.result(PATIENCE_S) == LARGE
    assert words(disk.database) == ["before", LARGE]
    assert disk.database.trouble == ""


def test_everybody_at_the_database_is_told_as_long_as_it_lasts(disk: Disk) -> None:
    files = disk.database.files
    assert trouble_at(files) == ""
    disk.fill()
    future = disk.patiently(LARGE)
    assert disk.wait_for_trouble() == trouble_at(files)
    disk.free()
    assert future.result(PATIENCE_S) == LARGE
    assert trouble_at(files) == ""


def test_several_in_trouble_are_told_until_the_last_is_out_of_it(disk: Disk) -> None:
    files = disk.database.files
    marks = [TroubleMark(files.consoles) for _ in range(2)]
    for mark in marks:
        mark.set(Trouble.NO_ROOM_FOR_LOGS)
    marks[0].close()
    marks[1].set(Trouble.NO_ROOM_FOR_LOGS)
    assert trouble_at(files) == f"The disk is full: there is no room for logs in {files.runs}"
    marks[1].close()
    assert trouble_at(files) == ""


TROUBLED = """
import sys
from pathlib import Path
from orchestrate_tui.store.trouble import Trouble, TroubleMark
mark = TroubleMark(Path(sys.argv[1]))
mark.set(Trouble.FAILING)
print("told", flush=True)
sys.stdin.read()
"""


def test_who_dies_in_trouble_leaves_no_word_of_it(disk: Disk, spawn: Spawn) -> None:
    files = disk.database.files
    process = spawn(TROUBLED, files.consoles)
    assert process.stdout
    assert process.stdout.readline() == "told\n"
    assert "quota is used up" in trouble_at(files)
    process.kill()
    process.wait()
    assert trouble_at(files) == ""


def test_who_only_reads_can_neither_feign_trouble_nor_hide_it(disk: Disk) -> None:
    files = disk.database.files
    with files.consoles.open() as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        fcntl.fcntl(reader, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", fcntl.F_RDLCK, 0, 1, 1, 0))
        assert trouble_at(files) == ""
        disk.database.trouble_mark.set(Trouble.FULL)
        assert "The disk is full" in trouble_at(files)


def test_an_impatient_change_is_told_at_once_that_it_was_not_kept(disk: Disk) -> None:
    disk.fill()
    waiting = disk.patiently(LARGE)
    disk.wait_for_trouble()
    with pytest.raises(StoreError, match="Nothing of this change was kept"):
        disk.database.submit(adding("impatient")).result(PATIENCE_S)
    disk.free()
    waiting.result(PATIENCE_S)
    assert words(disk.database) == ["before", LARGE]


def test_what_waits_is_made_in_the_order_it_came(disk: Disk) -> None:
    disk.fill()
    first = disk.patiently(LARGE)
    disk.wait_for_trouble()
    others = [disk.patiently(str(number)) for number in range(2000)]
    disk.free()
    for future in (first, *others):
        future.result(PATIENCE_S)
    assert words(disk.database) == ["before", LARGE, *map(str, range(2000))]


def test_a_refusal_that_rests_on_what_was_not_kept_is_not_given(disk: Disk) -> None:
    """A change that fails because of another in its batch is tried again together with it."""

    def unless_there(connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM words WHERE word = 'first'").fetchone():
            raise ValueError

    disk.fill()
    blocked = disk.patiently(LARGE)
    disk.wait_for_trouble()
    disk.patiently("first")
    second = disk.database.submit(unless_there, is_patient=True)
    disk.patiently(LARGE)
    Event().wait(0.3)
    assert not second.done()
    disk.free()
    blocked.result(PATIENCE_S)
    assert isinstance(second.exception(PATIENCE_S), ValueError)


def test_who_loses_patience_is_told_that_it_is_not_recorded(disk: Disk) -> None:
    disk.fill()
    future = disk.patiently(LARGE)
    disk.wait_for_trouble()
    disk.database.lose_patience()
    with pytest.raises(Unrecorded, match=r"The disk is full.* is not recorded") as raised:
        future.result(PATIENCE_S)
    assert raised.value.exit_code == 4
    disk.free()
    assert disk.database.write(adding("after")) == "after"


def test_closing_waits_for_no_disk(path: Path) -> None:
    database = open_database(path)
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    disk = Disk(database)
    disk.fill()
    future = disk.patiently(LARGE)
    disk.wait_for_trouble()
    closing = Thread(target=database.close)
    closing.start()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert isinstance(future.exception(0), Unrecorded)


def test_the_chain_of_events_has_no_gap_where_the_disk_was_full(store: Store) -> None:
    disk = Disk(store.database)
    store.started_run()
    store.database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    disk.fill()
    waiting = disk.patiently(LARGE)
    disk.wait_for_trouble()
    disk.free()
    store.started_run()
    waiting.result(PATIENCE_S)
    assert check_record(store.path).startswith("6 event(s), none changed")


# A commit that was made and reports an error all the same


@contextmanager
def lying_commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The next COMMIT is made, and then an error of the disk is reported."""
    lies: list[str] = []
    execute = ImmediateConnection.execute

    def lying(self: ImmediateConnection, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor = execute(self, sql, parameters)
        if sql == "COMMIT" and not lies:
            lies.append(sql)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return cursor

    with monkeypatch.context() as patch:
        patch.setattr(ImmediateConnection, "execute", lying)
        yield lies


@pytest.mark.parametrize("patience", ["patient", "impatient"])
def test_a_commit_that_was_made_is_not_made_twice_when_it_reports_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    def change(connection: sqlite3.Connection) -> int:
        record(connection, 1, "2026-05-04T12:00:00.000000Z", "run", to_status="pending")
        return 7

    with lying_commits(monkeypatch) as lies:
        assert store.database.submit(change, is_patient=patience == "patient").result() == 7
    assert lies == ["COMMIT"]
    assert store.select("SELECT count(*) FROM events") == [(1,)]
    assert check_record(store.path).startswith("1 event(s), none changed")


# A file system that is really full


@pytest.fixture
def disk_folder(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def test_nothing_acknowledged_is_lost_on_a_disk_that_fills_up_and_is_freed(
    disk_folder: Path,
) -> None:
    path = disk_folder / "store.db"
    poll = Event()
    with open_database(path) as database:
        store = Store.of(database)
        store.execute("CREATE TABLE words (word TEXT)")
        kept: list[Future[str]] = []
        for lap in range(3):
            filler = fill(disk_folder)
            while not database.trouble:
                kept.append(database.submit(adding(f"{lap} {len(kept)}"), is_patient=True))
                poll.wait(0.002)
            assert "The disk is full" in database.trouble
            filler.unlink()
            assert kept[-1].result(PATIENCE_S)
            store.started_run()
        assert words(database) == [future.result(PATIENCE_S) for future in kept]
        store.owner.release()
    assert check_record(path).startswith("9 event(s), none changed")


def test_a_full_disk_takes_what_finds_room_in_the_log_of_sqlite_once_that_is_emptied(
    disk_folder: Path,
) -> None:
    """SQLite empties its log only after a commit, and for that one there is no room any more."""

    def count(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE words SET word = word + 1")

    with open_database(disk_folder / "store.db") as database:
        database.write(lambda c: c.execute("CREATE TABLE words (word INTEGER)").close())
        database.write(lambda c: c.execute("INSERT INTO words VALUES (0)").close())
        Disk(database)._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        for _ in range(20):
            database.write(count)
        fill(disk_folder)
        for _ in range(80):
            database.submit(count, is_patient=True).result(PATIENCE_S)
        assert database.read(lambda c: c.execute("SELECT word FROM words").fetchone()[0]) == 100


def test_who_opens_a_database_of_many_events_finds_no_fault_with_a_full_disk(
    disk_folder: Path,
) -> None:
    """What was verified is marked as that at an opening, if there is room."""
    path = disk_folder / "store.db"
    with open_database(path) as database:
        store = Store.of(database)
        store.ended_run(*(f"s{number}" for number in range(MARKED_EVERY)))
        fill(disk_folder, path)
        with open_database(path) as other:
            assert other.read(last_event).event_id > MARKED_EVERY
            assert other.read(verified_mark) == START
        store.owner.release()


def test_a_full_disk_refuses_a_new_database_and_leaves_it_to_be_made_later(
    disk_folder: Path,
) -> None:
    filler = fill(disk_folder)
    with pytest.raises(StoreError):
        open_database(disk_folder / "store.db")
    filler.unlink()
    open_database(disk_folder / "store.db").close()


def test_nothing_is_said_to_be_kept_in_a_database_that_was_removed(path: Path) -> None:
    with open_database(path) as database:
        store = Store.of(database)
        run_id = store.started_run()
        path.rename(path.with_name("away.db"))
        with pytest.raises(StoreError, match=r"removed, or another one.*kept\. Put it back"):
            store.started_run()
        waiting = database.submit(partial(record, run_id=run_id, at="", kind="x"), is_patient=True)
        assert "was removed" in Disk(database).wait_for_trouble()
        assert not waiting.done()
        path.with_name("away.db").rename(path)
        waiting.result(PATIENCE_S)
        assert database.trouble == ""
        store.change_run(run_id, RunStatus.RUNNING, RunStatus.SUCCEEDED)
        store.owner.release()
    assert check_record(path).startswith("5 event(s), none changed")
