"""Looking at a database without changing it."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.examination import (
    accept_damage,
    check_database,
    check_record,
    library_version,
)
from tests.store.scenery import NOON, Store

PAGE = 4096


def test_a_sound_database_is_called_so(path: Path) -> None:
    open_database(path).close()
    before = path.read_bytes()
    assert check_database(path) == f"{path} is sound, its schema is current"
    assert path.read_bytes() == before


def test_a_database_that_is_not_up_to_date_is_sound(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert check_database(path).endswith("the next run brings its schema up to date")


def test_a_damaged_database_is_called_so(path: Path) -> None:
    open_database(path).close()
    content = bytearray(path.read_bytes())
    for page in range(PAGE, len(content), PAGE):
        content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(StoreError, match=re.escape(str(path))):
        check_database(path)


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="is a database of another program"):
        check_database(path)


def test_the_library_says_its_version() -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", library_version())


def changed_by_hand(store: Store, *statements: str) -> Path:
    """A database with a run in it, in which somebody worked with another program."""
    store.started_run()
    path = store.database.path
    store.database.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DROP TRIGGER events_are_not_altered", "trigger events_are_not_altered"),
        ("DROP INDEX rollback_events_by_run", "index rollback_events_by_run"),
        ("ALTER TABLE stages ADD COLUMN more TEXT", "table stages"),
        (
            "CREATE TRIGGER mine AFTER INSERT ON runs BEGIN DELETE FROM commands; END",
            "trigger mine",
        ),
    ],
)
def test_a_schema_that_somebody_has_changed_is_called_damaged(
    store: Store, statement: str, found: str
) -> None:
    path = changed_by_hand(store, statement)
    with pytest.raises(StoreError, match=f"its schema was changed: {found}. Keep a copy"):
        check_database(path)


def test_who_accepts_damage_gets_triggers_and_indexes_back(store: Store) -> None:
    path = changed_by_hand(
        store,
        "DROP TRIGGER events_are_not_altered",
        "DROP INDEX rollback_events_by_run",
        'CREATE TRIGGER "my "" own" AFTER INSERT ON runs BEGIN DELETE FROM commands; END',
    )
    said = accept_damage(path, actor="ann", reason="a drill", at=NOON)
    assert said == (
        "index rollback_events_by_run is mended",
        "trigger events_are_not_altered is mended",
        'trigger my " own is mended',
    )
    assert check_database(path).endswith("its schema is current")
    assert "accepted" not in check_record(path)


def test_what_somebody_added_to_a_database_harms_nothing(store: Store) -> None:
    path = changed_by_hand(store, "CREATE TABLE mine (x)", "CREATE INDEX own ON runs (actor)")
    assert check_database(path).endswith("its schema is current")


@pytest.mark.parametrize("table", ["runs", "definitions"])
def test_rows_that_somebody_has_deleted_are_missed(store: Store, table: str) -> None:
    path = changed_by_hand(store, f"DELETE FROM {table}")
    with pytest.raises(StoreError, match=f"rows are missing: there are .* not in {table}"):
        check_database(path)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE runs SET status = 'succeeded'", "run 1 is 'succeeded', and its last event"),
        (
            "UPDATE stages SET status = 'rolled_back' WHERE position = 0",
            "stage 'build' of run 1 is 'rolled_back', and its last event says 'running'",
        ),
    ],
)
def test_a_status_that_somebody_has_changed_contradicts_the_events(
    store: Store, statement: str, found: str
) -> None:
    path = changed_by_hand(store, statement)
    with pytest.raises(StoreError, match=f"but what it tells of was: {found}"):
        check_record(path)
