"""A process that is stopped while it writes: who waits for it says so, and goes on afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

from orchestrate_tui.errors import StoreError, Unrecorded
from orchestrate_tui.store import Database, held_up, open_database, writer
from orchestrate_tui.store import database as database_module
from orchestrate_tui.store.locks import FileLock
from orchestrate_tui.store.unwritten import given_up
from tests.store.conftest import Process, Spawn

WRITE = """
import sys
from pathlib import Path
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.locks import FileLock
with FileLock(StoreFiles(Path(sys.argv[1])).write_lock).held():
    print("writes", flush=True)
    sys.stdin.readline()
"""
STRANGER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("writes", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("done", flush=True)
sys.stdin.readline()
"""

Holding = Callable[[str], Process]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_up, "TOLD_AFTER_S", 0.05)
    monkeypatch.setattr(held_up, "LOOK_INTERVAL_S", 0.01)


@pytest.fixture
def database(database: Database) -> Database:
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    return database


@pytest.fixture
def holding(database: Database, spawn: Spawn) -> Iterator[Holding]:
    """Starts a program that holds a lock of the database."""
    started: list[Process] = []

    def hold(script: str) -> Process:
        process = spawn(script, database.path)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "writes\n"
        return process

    yield hold
    for process in started:
        process.kill()


def stop(process: Process) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def let_go(process: Process) -> None:
    process.send_signal(signal.SIGCONT)
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def keep(database: Database, word: str, *, is_patient: bool = True) -> Future[Any]:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO words VALUES (?)", (word,))

    return database.submit(change, is_patient=is_patient)


def words(database: Database) -> list[str]:
    return database.read(lambda c: [word for (word,) in c.execute("SELECT word FROM words")])


def until(holds: Callable[[], object], waiting: Future[Any]) -> None:
    while not holds():
        assert not wait([waiting], 0.01).done


def test_who_waits_for_a_stopped_process_names_it_until_it_goes_on(
    database: Database, holding: Holding
) -> None:
    process = holding(WRITE)
    stop(process)
    waiting = keep(database, "one")
    until(lambda: database.trouble, waiting)
    assert f"Process {process.pid} of " in database.trouble
    assert f"was stopped while it was writing to {database.path}" in database.trouble
    assert f"kill -CONT {process.pid}" in database.trouble
    assert database.is_stuck
    let_go(process)
    waiting.result(60)
    assert (database.trouble, database.is_stuck, words(database)) == ("", False, ["one"])


def test_who_opens_a_database_is_told_for_whom_that_waits_and_gets_it_when_it_is_free(
    database: Database, holding: Holding
) -> None:
    process, told = holding(WRITE), list[str]()

    def waiting(trouble: str) -> None:
        if not told:
            let_go(process)
        told.append(trouble)

    open_database(database.path, waiting=waiting).close()
    assert told[0].startswith(f"Process {process.pid} of ")
    assert told[0].endswith(f"keeps all others from writing to {database.path}")
    assert told[-1] == ""


def test_who_opens_a_database_may_leave_while_that_waits(
    database: Database, holding: Holding
) -> None:
    process = holding(WRITE)

    def leave(_trouble: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_database(database.path, waiting=leave)
    let_go(process)
    open_database(database.path).close()


@pytest.mark.parametrize("script", [WRITE, STRANGER], ids=["takes turns", "takes no turns"])
def test_who_leaves_by_ctrl_c_does_not_wait_for_others(
    path: Path, spawn: Spawn, script: str
) -> None:
    process = None
    with pytest.raises(KeyboardInterrupt), open_database(path) as database:  # noqa: PT012
        database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
        process = spawn(script, path)
        assert process.stdout
        process.stdout.readline()
        waiting = keep(database, "lost", is_patient=False)
        until(lambda: database.is_held_up, waiting)
        raise KeyboardInterrupt
    assert process
    with pytest.raises(StoreError, match=rf"Process {process.pid} .*Nothing of this change"):
        waiting.result(0)
    process.kill()
    process.wait(60)
    with open_database(path) as again:
        assert words(again) == []


@pytest.mark.parametrize("script", [WRITE, STRANGER], ids=["takes turns", "takes no turns"])
def test_who_waits_for_a_process_that_works_names_it_and_is_not_stuck(
    database: Database, holding: Holding, script: str
) -> None:
    process = holding(script)
    waiting = keep(database, "one")
    until(lambda: database.trouble, waiting)
    assert f"Process {process.pid} of " in database.trouble
    assert "keeps all others from writing" in database.trouble
    assert not database.is_stuck
    let_go(process)
    waiting.result(60)
    assert words(database) == ["one"]


def test_what_comes_meanwhile_is_committed_together_in_its_order(
    database: Database, holding: Holding
) -> None:
    process = holding(WRITE)
    waiting = [keep(database, str(number)) for number in range(100)]
    until(lambda: database.trouble, waiting[0])
    assert waiting[7].cancel()
    let_go(process)
    wait(waiting, 60)
    assert words(database) == [str(number) for number in range(100) if number != 7]


def test_what_is_given_up_is_not_written_later(
    database: Database, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = holding(WRITE)
    stop(process)
    patient, hasty = keep(database, "patient"), keep(database, "hasty", is_patient=False)
    until(lambda: database.is_stuck, patient)
    database.lose_patience()
    with pytest.raises(Unrecorded, match=rf"Process {process.pid} .*is not recorded"):
        patient.result(60)
    with pytest.raises(StoreError, match="Nothing of this change was kept"):
        hasty.result(60)
    with pytest.raises(Unrecorded):
        keep(database, "after").result(60)
    monkeypatch.setattr(held_up, "TOLD_AFTER_S", 60)  # on a busy machine nothing is held up
    let_go(process)
    process.wait(60)
    keep(database, "later").result(60)
    assert words(database) == ["later"]


def test_what_has_to_wait_after_patience_was_lost_is_given_up_too(
    database: Database, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOOK_INTERVAL_S", 0.01)
    database.lose_patience()
    database.write(lambda c: c.execute("INSERT INTO words VALUES ('before')").close())
    process = holding(WRITE)
    stop(process)
    with pytest.raises(Unrecorded, match=rf"Process {process.pid} .*is not recorded"):
        keep(database, "after").result(10)
    let_go(process)
    process.wait(60)
    assert words(database) == ["before"]


def test_nobody_waits_in_vain_for_a_change_that_cannot_be_left_to_itself(
    database: Database, holding: Holding
) -> None:
    process = holding(WRITE)
    stop(process)
    with pytest.raises(StoreError, match=f"Process {process.pid} of .* was stopped"):
        database.write(lambda c: c.execute("INSERT INTO words VALUES ('one')"))
    let_go(process)
    keep(database, "two").result(60)
    assert words(database) == ["two"]


@pytest.mark.parametrize("count", [0, 2])
def test_a_database_is_closed_although_another_process_is_stopped_while_it_writes(
    path: Path, spawn: Spawn, count: int
) -> None:
    database = open_database(path)
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    process = spawn(WRITE, path)
    assert process.stdout
    process.stdout.readline()
    stop(process)
    waiting = [keep(database, str(number)) for number in range(count)]
    database.close()
    assert [type(one.exception(60)) for one in waiting] == [Unrecorded] * count
    process.kill()
    process.wait(60)
    with open_database(path) as again:
        assert words(again) == []


def test_a_program_that_takes_no_turns_is_waited_for_however_long_it_takes(
    database: Database, holding: Holding
) -> None:
    database.write(lambda c: c.execute("PRAGMA busy_timeout = 20").close())
    process = holding(STRANGER)
    patient = keep(database, "patient")
    with pytest.raises(StoreError, match=rf"database is locked.*Process {process.pid} of"):
        keep(database, "hasty", is_patient=False).result(60)
    until(lambda: database.is_stuck, patient)
    let_go(process)
    patient.result(60)
    assert (database.trouble, words(database)) == ("", ["patient"])


def test_a_lock_that_was_removed_is_taken_anew_by_everybody(database: Database, path: Path) -> None:
    with open_database(path) as other:
        for writes, waits in ((database, other), (other, database)):
            database.files.write_lock.unlink()
            seen: list[str] = []

            def change(_: sqlite3.Connection, seen: list[str] = seen) -> None:
                lock = FileLock(database.files.write_lock)
                try:
                    with pytest.raises(BlockingIOError), lock.held_at_once():
                        seen.append("the lock that everybody finds is free")
                finally:
                    lock.close()

            writes.write(change)
            keep(waits, "after").result(60)
            assert seen == []


def _nowhere(lock: Path) -> None:
    lock.symlink_to(lock)


@pytest.mark.parametrize("put", [_nowhere, Path.mkdir])
def test_a_lock_that_cannot_be_opened_anew_keeps_nobody_from_writing(
    database: Database, put: Callable[[Path], None]
) -> None:
    lock = database.files.write_lock
    lock.unlink()
    put(lock)
    keep(database, "one").result(60)
    assert words(database) == ["one"]


def test_what_is_cancelled_just_when_it_is_given_up_keeps_nobody_waiting(
    database: Database, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = holding(WRITE)
    stop(process)
    first, second = keep(database, "first"), keep(database, "second")
    until(lambda: database.is_stuck, first)

    def cancelling(trouble: str, *, is_patient: bool) -> StoreError:
        first.cancel()
        return given_up(trouble, is_patient=is_patient)

    monkeypatch.setattr(writer, "given_up", cancelling)
    database.lose_patience()
    with pytest.raises(Unrecorded):
        second.result(60)


def test_who_is_let_in_just_when_it_would_give_up_closes_as_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(path)
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    monkeypatch.setattr(database._writer._held_up, "is_barred", lambda: True)
    database.close()
    assert not database.files.wal.exists()


def test_who_is_let_in_just_when_it_would_give_up_is_not_refused(
    database: Database, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = holding(WRITE)
    monkeypatch.setattr(held_up, "TOLD_AFTER_S", 60)
    monkeypatch.setattr(database_module, "LOOK_INTERVAL_S", 0.01)

    looks: list[bool] = []

    def until_now(_: writer.Writer) -> bool:
        if len(looks) == 1:
            let_go(process)
        looks.append(True)
        return True

    monkeypatch.setattr(writer.Writer, "is_stuck", property(until_now))
    database.write(lambda c: c.execute("INSERT INTO words VALUES ('one')"))
    assert words(database) == ["one"]
