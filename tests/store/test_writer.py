"""The thread that writes: what is committed together, what is lost alone, and how it ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from orchestrate_tui.errors import OrchestrateError, Refused, StoreError
from orchestrate_tui.store import Database, open_database

MEGABYTE = 1_000_000


def adding(word: str) -> Callable[[sqlite3.Connection], str]:
    """A change that keeps one word and returns it."""

    def change(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO words VALUES (?)", (word,))
        return word

    return change


def failing(error: BaseException, word: str = "lost") -> Callable[[sqlite3.Connection], str]:
    """A change that keeps a word and then raises."""

    def change(connection: sqlite3.Connection) -> str:
        adding(word)(connection)
        raise error

    return change


def words(database: Database) -> list[str]:
    return database.read(lambda c: [word for (word,) in c.execute("SELECT word FROM words")])


@contextmanager
def busy(database: Database) -> Iterator[None]:
    """The writer is in the middle of a transaction; what is submitted in the block waits."""
    entered, leave = Event(), Event()

    def change(_: sqlite3.Connection) -> None:
        entered.set()
        leave.wait(30)

    blocking = database.submit(change)
    entered.wait(30)
    try:
        yield
    finally:
        leave.set()
        blocking.result(30)


def allow_pages(database: Database, more: int) -> None:
    """Make the disk full after so many further pages."""
    database.write(
        lambda c: c.execute(
            f"PRAGMA max_page_count = {c.execute('PRAGMA page_count').fetchone()[0] + more}"
        ).fetchone()
    )


@pytest.fixture
def database(database: Database) -> Database:
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT UNIQUE)").close())
    return database


def test_a_change_is_committed_when_its_result_is_there(database: Database) -> None:
    assert database.write(adding("one")) == "one"
    assert words(database) == ["one"]


def test_changes_that_wait_are_committed_together(database: Database) -> None:
    seen: list[list[str]] = []
    with busy(database):
        first = database.submit(adding("0"))
        first.add_done_callback(lambda _: seen.append(words(database)))
        others = [database.submit(adding(str(number))) for number in range(1, 100)]
    assert [future.result(30) for future in others] == [str(number) for number in range(1, 100)]
    assert seen == [[str(number) for number in range(100)]]


def test_changes_are_committed_in_the_order_they_came(database: Database) -> None:
    names = [str(number) for number in range(3000)]
    with busy(database):
        futures = [database.submit(adding(name)) for name in names]
    assert [future.result(30) for future in futures] == names
    assert words(database) == names


def test_a_change_that_fails_takes_no_other_with_it(database: Database) -> None:
    with busy(database):
        before = database.submit(adding("before"))
        failed = database.submit(failing(Refused("not now")))
        after = database.submit(adding("after"))
    assert (before.result(30), after.result(30)) == ("before", "after")
    with pytest.raises(Refused, match="not now"):
        failed.result(30)
    assert words(database) == ["before", "after"]


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_a_change_raises_reaches_its_caller_and_the_writer_goes_on(
    database: Database, error: BaseException
) -> None:
    with pytest.raises(type(error)) as raised:
        database.submit(failing(error)).result(30)
    assert raised.value is error
    assert database.submit(adding("next")).result(30) == "next"
    assert words(database) == ["next"]


@pytest.mark.parametrize("sql", ["INSERT INTO words VALUES ('one')", "INSERT INTO nowhere", "?"])
def test_a_statement_that_fails_is_a_store_error_of_its_change_alone(
    database: Database, sql: str
) -> None:
    database.write(adding("one"))
    with busy(database):
        before = database.submit(adding("before"))
        failed = database.submit(lambda c: c.execute(sql))
        after = database.submit(adding("after"))
    assert (before.result(30), after.result(30)) == ("before", "after")
    with pytest.raises(StoreError, match="could not be written"):
        failed.result(30)


def test_a_change_whose_caller_went_away_before_its_turn_is_not_made(database: Database) -> None:
    with busy(database):
        given_up = database.submit(adding("given up"))
        assert given_up.cancel()
        kept = database.submit(adding("kept"))
    assert kept.result(30) == "kept"
    assert words(database) == ["kept"]
    with pytest.raises(CancelledError):
        given_up.result(30)


def test_a_change_under_way_can_no_longer_be_cancelled(database: Database) -> None:
    entered, leave = Event(), Event()

    def change(connection: sqlite3.Connection) -> str:
        entered.set()
        leave.wait(30)
        return adding("made")(connection)

    future = database.submit(change)
    entered.wait(30)
    assert not future.cancel()
    leave.set()
    assert future.result(30) == "made"


def test_a_full_disk_is_a_store_error_and_later_changes_are_made(database: Database) -> None:
    database.write(adding("kept"))
    allow_pages(database, 2)
    with pytest.raises(StoreError, match=r"database or disk is full.*Free some space"):
        database.write(adding("x" * MEGABYTE))
    allow_pages(database, MEGABYTE)
    database.write(adding("later"))
    assert words(database) == ["kept", "later"]


def test_what_is_acknowledged_while_the_disk_fills_up_is_kept(database: Database) -> None:
    allow_pages(database, 2)
    with busy(database):
        futures = [database.submit(adding(word)) for word in ("a", "b", "x" * MEGABYTE, "c", "d")]
    wait(futures, 30)
    allow_pages(database, MEGABYTE)
    kept = [future.result(30) for future in futures if not error_of(future)]
    assert words(database) == kept
    assert isinstance(error_of(futures[2]), StoreError)


def error_of(future: Future[str]) -> BaseException | None:
    return future.exception(30)


def test_reading_goes_on_while_the_disk_is_full(database: Database) -> None:
    database.write(adding("kept"))
    allow_pages(database, 0)
    with pytest.raises(StoreError):
        database.write(adding("x" * MEGABYTE))
    assert words(database) == ["kept"]


def test_closing_commits_what_waits(path: Path) -> None:
    database = open_database(path)
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    with busy(database):
        futures = [database.submit(adding(str(number))) for number in range(2000)]
        closing = Thread(target=database.close)
        closing.start()
    closing.join(30)
    assert all(future.done() for future in futures)
    with open_database(path) as again:
        assert len(words(again)) == 2000


def test_a_change_after_the_close_is_refused_at_once(path: Path) -> None:
    database = open_database(path)
    database.close()
    with pytest.raises(StoreError, match=r"store\.db is closed"):
        database.submit(adding("late"))


def test_a_second_close_does_nothing(path: Path) -> None:
    database = open_database(path)
    database.close()
    database.close()


def test_no_change_hangs_when_the_database_is_closed_under_it(path: Path) -> None:
    database = open_database(path)
    database.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
    kept: list[str] = []

    def add_until_closed() -> None:
        number = 0
        while True:
            try:
                kept.append(database.submit(adding(str(number))).result(30))
            except StoreError:
                return
            number += 1

    thread = Thread(target=add_until_closed)
    thread.start()
    while not kept:
        pass
    database.close()
    thread.join(30)
    assert not thread.is_alive()
    with open_database(path) as again:
        assert words(again) == kept


def test_two_open_databases_on_one_file_write_in_turn(path: Path) -> None:
    with open_database(path) as one, open_database(path) as two:
        one.write(lambda c: c.execute("CREATE TABLE words (word TEXT)").close())
        futures = [
            database.submit(adding(f"{number}")) for number in range(500) for database in (one, two)
        ]
        for future in futures:
            future.result(30)
        assert len(words(one)) == len(words(two)) == 1000


def test_a_query_that_fails_is_a_store_error(database: Database) -> None:
    with pytest.raises(StoreError, match="could not be read: no such table: nowhere"):
        database.read(lambda c: c.execute("SELECT * FROM nowhere"))


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(OrchestrateError, match="readonly database"):
        database.read(adding("sneaked in"))
    assert words(database) == []
