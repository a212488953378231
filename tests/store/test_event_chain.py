"""The chain through all events: whatever is changed, inserted, moved or lost is found and named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Event

import msgspec
import pytest

from orchestrate_tui.errors import NotFound, StoreError
from orchestrate_tui.store import open_database, verification, writer
from orchestrate_tui.store.chain import COLUMNS, START, Head
from orchestrate_tui.store.connection import connect_reader
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.examination import accept_damage, check_record
from orchestrate_tui.store.head import read_head
from orchestrate_tui.store.record import record
from orchestrate_tui.store.verification import verified_mark
from tests.store.conftest import Spawn
from tests.store.scenery import NOON, Store

EVENTS = 21
CHANGE = "UPDATE events SET actor = 'x' WHERE id = 9"


@pytest.fixture
def written(path: Path) -> Path:
    """A closed database with the events 1 to 21 of three runs."""
    with open_database(path) as database:
        store = Store.of(database)
        for _ in range(3):
            store.ended_run("build", "deploy")
        store.owner.release()
    return path


def tamper(path: Path, *statements: str) -> None:
    """Change events behind the back of the program, whose triggers would forbid it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for trigger in ("events_are_not_altered", "events_are_not_deleted"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            connection.execute(statement)


def complaint(path: Path) -> str:
    """What a complete verification says."""
    with pytest.raises(StoreError) as raised:
        check_record(path)
    return str(raised.value)


def refuses(path: Path) -> str:
    """Why the database is not opened."""
    with pytest.raises(StoreError) as raised:
        open_database(path)
    return str(raised.value)


def events(path: Path) -> list[tuple[object, ...]]:
    with closing(connect_reader(path)) as connection:
        rows = connection.execute(f"SELECT {COLUMNS}, hash FROM events ORDER BY id")
        return [tuple(row) for row in rows]


def test_a_whole_record_is_called_so(written: Path) -> None:
    assert check_record(written) == f"{EVENTS} event(s), none changed and none missing"


def test_each_hash_is_that_of_the_one_before_and_of_the_values(written: Path) -> None:
    digest = bytes(32)
    for *values, stored in events(written):
        digest = sha256(digest + msgspec.msgpack.encode(values)).digest()
        assert stored == digest


def test_the_head_beside_the_database_names_the_last_event(store: Store) -> None:
    for _ in range(5):
        store.started_run()
        last, *_ = store.select("SELECT id, hash FROM events ORDER BY id DESC")
        assert read_head(store.database.files.head) == Head(*last)


def test_the_events_of_two_writers_are_one_chain(path: Path) -> None:
    with open_database(path) as one, open_database(path) as two:
        stores = [Store.of(one), Store.of(two)]
        for _ in range(5):
            for store in stores:
                store.started_run()
        for store in stores:
            store.owner.release()
    assert check_record(path).startswith("30 event(s), none changed")


def test_a_change_that_fails_leaves_no_gap_in_the_chain(store: Store) -> None:
    run_id = store.started_run()

    def fail_after_recording(connection: sqlite3.Connection) -> None:
        record(connection, run_id, "", "lost")
        raise ValueError

    futures = [store.database.submit(fail_after_recording) for _ in range(3)]
    store.started_run()
    assert [type(future.exception()) for future in futures] == [ValueError] * 3
    assert check_record(store.path).startswith("6 event(s), none changed")


COLUMN_CHANGES = {
    "run_id": "run_id + 1",
    "at": "'2026-05-04T13:00:00.000000Z'",
    "kind": "'step'",
    "stage_name": "coalesce(stage_name, '') || 'x'",
    "rollback_id": "7",
    "from_status": "'skipped'",
    "to_status": "NULL",
    "attempt": "coalesce(attempt, 0) + 1",
    "actor": "'mallory'",
    "detail": "'nothing happened'",
    "hash": "randomblob(32)",
}


@pytest.mark.parametrize("event_id", [1, 10, EVENTS])
@pytest.mark.parametrize("column", COLUMN_CHANGES)
def test_a_changed_value_is_found_and_its_event_named(
    written: Path, column: str, event_id: int
) -> None:
    tamper(written, f"UPDATE events SET {column} = {COLUMN_CHANGES[column]} WHERE id = {event_id}")
    assert f"event {event_id} was changed" in complaint(written)
    assert f"event {event_id} was changed" in refuses(written)


TAMPERING: dict[str, tuple[tuple[str, ...], str]] = {
    "one taken out": (("DELETE FROM events WHERE id = 10",), "damaged: event 10 is missing."),
    "the first taken out": (("DELETE FROM events WHERE id < 3",), "events 1 to 2 are missing"),
    "several places": (
        ("DELETE FROM events WHERE id = 5", "UPDATE events SET actor = 'x' WHERE id IN (9, 15)"),
        "event 5 is missing; event 9 was changed; event 15 was changed.",
    ),
    "two in a row": (
        ("UPDATE events SET actor = 'x' WHERE id IN (9, 10)",),
        "event 9 was changed; event 10 was changed",
    ),
    "two swapped": (
        (
            "UPDATE events SET id = -1 WHERE id = 4",
            "UPDATE events SET id = 4 WHERE id = 5",
            "UPDATE events SET id = 5 WHERE id = -1",
        ),
        "event 4 was changed; event 5 was",
    ),
    "one inserted": (
        (
            "UPDATE events SET id = -id WHERE id > 10",
            "UPDATE events SET id = 1 - id WHERE id < 0",
            "INSERT INTO events (id, run_id, at, kind) VALUES (11, 1, '', 'x')",
        ),
        "event 11 was",
    ),
    "one added": (
        ("INSERT INTO events (run_id, at, kind) VALUES (1, '', 'x')",),
        "event 22 was changed, or not written by this program",
    ),
    "the last one lost": (("DELETE FROM events WHERE id = 21",), "event 21 is lost, though"),
    "the tail lost": (("DELETE FROM events WHERE id > 15",), "events 16 to 21 are lost, though"),
    "all lost": (("DELETE FROM events",), "events 1 to 21 are lost"),
    "text that is none": (
        ("UPDATE events SET detail = CAST(x'ff' AS TEXT) WHERE id = 8",),
        "event 8 was changed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERING)
def test_events_taken_out_or_put_in_are_named(written: Path, what: str) -> None:
    statements, sentence = TAMPERING[what]
    tamper(written, *statements)
    assert sentence in complaint(written)
    assert sentence.removesuffix(".") in refuses(written)


def test_a_chain_made_anew_after_a_change_does_not_fit_the_head(written: Path) -> None:
    def rewrite(connection: sqlite3.Connection) -> None:
        digest = START.digest
        rows = connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY id").fetchall()
        for row in rows:
            digest = sha256(digest + msgspec.msgpack.encode(tuple(row))).digest()
            connection.execute("UPDATE events SET hash = ? WHERE id = ?", (digest, row[0]))

    tamper(written, "UPDATE events SET actor = 'mallory' WHERE id = 3")
    with closing(sqlite3.connect(written)) as connection:
        rewrite(connection)
        connection.commit()
    assert "event 21 is not the one that store.db.head names" in complaint(written)


def test_a_database_that_is_refused_is_left_as_it_is(written: Path) -> None:
    tamper(written, "DELETE FROM events WHERE id > 15")
    before = {
        file.name: file.read_bytes() for file in written.parent.glob("*.db*") if file.is_file()
    }
    refuses(written)
    for name in ("store.db", "store.db.head"):
        assert written.with_name(name).read_bytes() == before[name]


def test_a_database_put_back_without_its_head_is_refused_until_that_is_accepted(
    written: Path,
) -> None:
    StoreFiles(written).head.unlink()
    assert "store.db.head is missing or unreadable" in refuses(written)
    accept_damage(written, actor="alice", reason="restored", at=NOON)
    open_database(written).close()
    assert check_record(written).endswith("none missing")


def test_an_unreadable_head_is_told_like_a_missing_one(written: Path) -> None:
    StoreFiles(written).head.write_bytes(b"\0" * 85)
    assert "store.db.head is missing or unreadable" in complaint(written)


def test_an_older_copy_in_the_place_of_the_database_is_noticed(written: Path) -> None:
    older = written.with_name("older.db")
    shutil.copy(written, older)
    with open_database(written) as database:
        store = Store.of(database)
        store.started_run()
        store.owner.release()
    shutil.copy(older, written)
    assert "events 22 to 24 are lost, though committed" in refuses(written)


def test_a_head_behind_the_database_is_what_a_crash_leaves(written: Path) -> None:
    files = StoreFiles(written)
    behind = files.head.read_bytes()
    with open_database(written) as database:
        store = Store.of(database)
        store.started_run()
        store.owner.release()
    files.head.write_bytes(behind)
    assert check_record(written).startswith("24 event(s)")
    open_database(written).close()
    assert (read_head(files.head) or START).event_id == 24


# What is accepted


def test_accepted_damage_is_kept_with_who_when_and_why(written: Path) -> None:
    tamper(written, CHANGE, "DELETE FROM events WHERE id > 18")
    accepted = accept_damage(written, actor="alice", reason="the disk lied", at=NOON)
    assert accepted[:2] == ("event 9 was changed", "events 19 to 21 are lost, though committed")
    with closing(connect_reader(written)) as connection:
        rows = connection.execute(
            "SELECT event_id, finding, actor, reason, at FROM accepted_damage ORDER BY event_id"
        )
        kept = [tuple(row) for row in rows]
    told = ("alice", "the disk lied", "2026-05-04T12:00:00.000000Z")
    assert kept == [(9, accepted[0], *told), (21, accepted[1], *told)]


def test_after_it_was_accepted_the_database_is_used_and_its_chain_goes_on(written: Path) -> None:
    tamper(written, CHANGE, "DELETE FROM events WHERE id > 18")
    accept_damage(written, actor="alice", reason="known", at=NOON)
    with open_database(written) as database:
        store = Store.of(database)
        store.started_run()
        store.owner.release()
    assert check_record(written).startswith("21 event(s), none changed")
    assert "damage in 1 place(s) was accepted" in check_record(written)


def test_other_damage_of_an_accepted_event_is_told_again(written: Path) -> None:
    tamper(written, CHANGE)
    accept_damage(written, actor="alice", reason="known", at=NOON)
    tamper(written, "UPDATE events SET actor = 'y' WHERE id = 9")
    assert "event 9 was changed" in complaint(written)


def test_nothing_is_written_when_there_is_nothing_to_accept(written: Path) -> None:
    before = written.read_bytes()
    assert accept_damage(written, actor="alice", reason="to be sure", at=NOON) == ()
    assert written.read_bytes() == before


def test_a_missing_database_has_no_damage_to_accept(path: Path) -> None:
    with pytest.raises(NotFound, match="There is no database"):
        accept_damage(path, actor="alice", reason="?", at=NOON)
    assert not path.parent.exists()


# The mark


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many events were verified since the last call."""
    compared = 0
    digest = verification._digest

    def counting(*arguments: object) -> bytes:
        nonlocal compared
        compared += 1
        return digest(*arguments)  # type: ignore[arg-type]

    def take() -> int:
        nonlocal compared
        result, compared = compared, 0
        return result

    monkeypatch.setattr(verification, "_digest", counting)
    return take


def test_opening_reads_only_what_was_not_verified_before(
    path: Path, counted: Callable[[], int]
) -> None:
    with open_database(path) as database:
        store = Store.of(database)
        for _ in range(20):
            store.ended_run(*(f"s{number}" for number in range(60)))
        store.owner.release()
    assert counted() >= 20 * 123
    open_database(path).close()
    assert counted() == 0
    with open_database(path) as database:
        store = Store.of(database)
        store.started_run()
        store.owner.release()
    counted()
    open_database(path).close()
    assert 0 < counted() <= 10


def test_what_was_written_is_verified_while_there_is_nothing_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_S", 0.05)
    monkeypatch.setattr(writer, "VERIFIED_AT_ONCE", 1000)
    poll = Event()
    with open_database(path) as database:
        store = Store.of(database)
        store.ended_run(*(f"s{number}" for number in range(1000)))
        while database.read(verified_mark).event_id < 1000:
            poll.wait(0.01)
        store.ended_run()
        store.owner.release()
    assert check_record(path).startswith("2008 event(s), none changed")


def test_what_lies_before_the_mark_is_found_by_a_complete_verification(path: Path) -> None:
    with open_database(path) as database:
        store = Store.of(database)
        for _ in range(20):
            store.ended_run(*(f"s{number}" for number in range(60)))
        store.owner.release()
    tamper(path, CHANGE)
    open_database(path).close()
    assert "event 9 was changed" in complaint(path)


def test_damage_is_not_marked_as_verified_when_it_is_met_at_the_close(path: Path) -> None:
    with open_database(path) as database:
        store = Store.of(database)
        store.ended_run(*(f"s{number}" for number in range(600)))
        store.owner.release()
        tamper(path, "UPDATE events SET actor = 'x' WHERE id = 900")
    with closing(connect_reader(path)) as connection:
        assert verified_mark(connection) == START
    assert "event 900 was changed" in refuses(path)


# Those who die, and databases from before


KILLED = """
import os, sys
from orchestrate_tui.store import open_database, verification
from tests.store.scenery import Store
database = open_database(sys.argv[1])
store = Store.of(database)
for _ in range(100):
    store.started_run()
print(store.select("SELECT max(id) FROM events")[0][0], flush=True)
os.kill(os.getpid(), 9)
"""


def test_commits_that_a_flipped_bit_in_the_log_of_sqlite_drops_are_missed(
    path: Path, spawn: Spawn
) -> None:
    process = spawn(KILLED, path)
    last = int(process.communicate(timeout=60)[0])
    log = path.with_name("store.db-wal")
    content = bytearray(log.read_bytes())
    content[5000] ^= 1  # in the second page; all that follow count no more
    log.write_bytes(content)
    with closing(connect_reader(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert f"to {last} are lost, though committed" in complaint(path)
    assert f"to {last} are lost, though committed" in refuses(path)
    assert log.read_bytes() == content


def unchained(path: Path) -> None:
    """Make the database one from before events had hashes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (
            "DROP TRIGGER events_are_not_altered",
            "ALTER TABLE events DROP COLUMN hash",
            "DROP TABLE verified_events",
            "DROP TABLE accepted_damage",
            "PRAGMA application_id = 0",
            """
            CREATE TRIGGER events_are_not_altered BEFORE UPDATE ON events
            BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
            """,
            "DELETE FROM migration_files WHERE name = '012_event_chain'",
            "DELETE FROM _sqlite_migrations WHERE name = '012_event_chain'",
        ):
            connection.execute(statement)
    StoreFiles(path).head.unlink()


def test_events_from_before_the_chain_become_part_of_it(written: Path) -> None:
    whole = events(written)
    unchained(written)
    assert check_record(written).startswith("0 event(s)")
    open_database(written).close()
    assert events(written) == whole
    assert check_record(written).startswith("21 event(s), none changed")
    tamper(written, CHANGE)
    assert "event 9 was changed" in complaint(written)
