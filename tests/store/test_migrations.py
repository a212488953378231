"""Bringing a database to the schema of the program, and refusing those that are not its own."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.errors import NotFound, StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.connection import connect_reader
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.head import make_head
from orchestrate_tui.store.history import History
from orchestrate_tui.store.loss import check_not_lost
from orchestrate_tui.store.migrator import migration_files, statements
from tests.store.conftest import Spawn
from tests.store.scenery import REPOSITORY, Store

OPEN = """
import sys
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import open_database
try:
    open_database(sys.argv[1]).close()
except StoreError as error:
    sys.exit(f"StoreError: {error}")
"""
OPEN_AT_ONCE = "import sys; sys.stdin.read()" + OPEN

Installed = Callable[..., Path]
Outcome = Callable[[Path, Path], str]


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Installs the program with further or other migrations, in the wheel or in a checkout."""

    def install(folder: str = "orchestrate_tui/migrations", **texts: str) -> Path:
        root = tmp_path / "installed"
        for part in ("domain", "stagehost", "store"):
            shutil.copytree(REPOSITORY / "orchestrate_tui" / part, root / "orchestrate_tui" / part)
        for module in ("__init__.py", "errors.py", "inode_flags.py", "permissions.py", "values.py"):
            shutil.copy(REPOSITORY / "orchestrate_tui" / module, root / "orchestrate_tui")
        shutil.copytree(REPOSITORY / "migrations", root / folder)
        for name, text in texts.items():
            (root / folder / f"{name.lstrip('_')}.sql").write_text(text)
        return root

    return install


@pytest.fixture
def opened(spawn: Spawn) -> Outcome:
    """What a program says when it opens a database; "" when all is well."""

    def outcome(package: Path, database: Path) -> str:
        _, complaint = spawn(OPEN, database, package=package).communicate(timeout=60)
        return complaint

    return outcome


def tables(path: Path) -> set[str]:
    connection = connect_reader(path)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    finally:
        connection.close()


def schema(path: Path) -> list[tuple[str, ...]]:
    connection = connect_reader(path)
    try:
        rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
        return [tuple(row) for row in rows]
    finally:
        connection.close()


def foreign_database(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.commit()
    connection.close()


def test_a_missing_database_is_made_with_every_migration(path: Path) -> None:
    open_database(path).close()
    connection = connect_reader(path)
    applied = [name for (name,) in connection.execute("SELECT name FROM migration_files")]
    connection.close()
    assert applied == [name for name, _ in migration_files()]
    assert {"runs", "stages", "events", "rollback_events"} <= tables(path)


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    open_database(path).close()
    assert "runs" in tables(path)


def test_opening_twice_changes_nothing(path: Path) -> None:
    open_database(path).close()
    before = path.read_bytes()
    open_database(path).close()
    assert path.read_bytes() == before


def test_a_path_may_hold_characters_that_mean_something_in_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "100% of #1 what?.db"
    with open_database(path) as database:
        (count,) = database.read(lambda c: tuple(c.execute("SELECT count(*) FROM runs").fetchone()))
    assert count == 0
    assert path.is_file()


def test_eight_processes_that_start_at_once_make_one_schema(path: Path, spawn: Spawn) -> None:
    processes = [spawn(OPEN_AT_ONCE, path) for _ in range(8)]
    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    assert [process.communicate(timeout=50)[1] for process in processes] == [""] * 8
    assert "rollback_steps" in tables(path)


def test_a_database_that_another_process_is_just_making_is_not_taken_for_a_lost_one(
    tmp_path: Path,
) -> None:
    files, have_looked = StoreFiles(tmp_path / "store.db"), threading.Event()

    def make_over_and_over() -> None:
        while not have_looked.is_set():
            make_head(files.head)
            files.head.unlink()

    maker = threading.Thread(target=make_over_and_over)
    maker.start()
    try:
        for _ in range(3000):
            check_not_lost(files)
    finally:
        have_looked.set()
        maker.join()


def test_a_newer_database_is_refused_and_untouched(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    later = installed(_900_later="CREATE TABLE later (x);")
    assert opened(later, path) == ""
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer than this program .*900_later.*\. Use"):
        open_database(path)
    assert path.read_bytes() == before


def test_an_older_database_is_brought_up_to_date(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    open_database(path).close()
    assert opened(installed(_900_later="CREATE TABLE later (x);"), path) == ""
    assert "later" in tables(path)


def test_a_migration_that_was_edited_afterwards_is_refused(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    open_database(path).close()
    before = path.read_bytes()
    name, text = migration_files()[3]
    complaint = opened(installed(**{f"_{name}": text + "-- edited\n"}), path)
    assert f"Migration {name} was edited after {path} was made with it" in complaint
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_untouched(path: Path) -> None:
    foreign_database(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is a database of another program"):
        open_database(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"xy", b"my notes\n", bytes(5000), b"SQLite format 3\0broken"])
def test_a_file_that_is_no_database_is_refused_and_untouched(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError, match="--db"):
        open_database(path)
    assert path.read_bytes() == content


def test_a_folder_is_refused_as_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="it is a folder"):
        open_database(tmp_path)


@pytest.mark.parametrize("below", ["store.db", "folder/store.db"])
def test_a_path_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        open_database(tmp_path / "file" / below)


def test_a_database_is_made_whole_or_not_at_all(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    complaint = opened(installed(_900_broken="INSERT INTO nowhere VALUES (1);"), path)
    assert "could not be brought up to date: no such table: nowhere" in complaint
    assert tables(path) == set()
    with pytest.raises(NotFound, match=r"is empty\. Run a pipeline first"):
        History(path)
    open_database(path).close()
    assert "runs" in tables(path)


def test_a_broken_migration_leaves_nothing_of_itself(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    open_database(path).close()
    before = schema(path)
    broken = "CREATE TABLE half (x);\nINSERT INTO half VALUES (1);\nINSERT INTO nowhere VALUES (1);"
    complaint = opened(installed(_900_broken=broken), path)
    assert "could not be brought up to date: no such table: nowhere" in complaint
    assert schema(path) == before


def test_a_database_whose_migration_broke_can_still_be_used(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    complaint = opened(installed(_900_broken="CREATE TABLE runs (x);"), path)
    assert "could not be brought up to date: table runs already exists" in complaint
    with open_database(path) as database:
        store = Store.of(database)
        assert store.new_run() == 1
        store.owner.release()


def test_a_migration_that_ends_in_the_middle_of_a_statement_is_refused(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    complaint = opened(installed(_900_cut="CREATE TABLE whole (x);\nCREATE TABLE cut (x"), path)
    assert "could not be brought up to date: incomplete input" in complaint
    assert "whole" not in tables(path)


def test_the_last_statement_of_a_migration_needs_no_semicolon(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    assert opened(installed(_900_bare="CREATE TABLE bare (x)"), path) == ""
    assert "bare" in tables(path)


def test_a_semicolon_in_a_trigger_a_string_or_a_comment_ends_no_statement(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    script = """
        -- first; then
        CREATE TABLE words (x TEXT DEFAULT 'a;b'); CREATE TABLE copies (x); /* ; */
        CREATE TRIGGER copy AFTER INSERT ON words
        BEGIN
            INSERT INTO copies VALUES (NEW.x); INSERT INTO copies VALUES ('c;d');
        END;
        INSERT INTO words DEFAULT VALUES; -- done; really
    """
    assert opened(installed(_900_words=script), path) == ""
    connection = connect_reader(path)
    copies = [x for (x,) in connection.execute("SELECT x FROM copies")]
    connection.close()
    assert copies == ["a;b", "c;d"]


def test_the_wheel_is_looked_in_before_the_repository(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    root = installed(_900_wheel="CREATE TABLE from_wheel (x);")
    shutil.copytree(root / "orchestrate_tui" / "migrations", root / "migrations")
    (root / "migrations" / "900_wheel.sql").write_text("CREATE TABLE from_repository (x);")
    assert opened(root, path) == ""
    assert "from_wheel" in tables(path)
    assert "from_repository" not in tables(path)


def test_a_checkout_finds_its_migrations_in_the_repository(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    assert opened(installed("migrations"), path) == ""
    assert "runs" in tables(path)


def test_an_installation_without_migrations_says_so(
    path: Path, installed: Installed, opened: Outcome
) -> None:
    complaint = opened(installed("elsewhere"), path)
    assert "The migrations are missing from this installation. Install" in complaint


def test_no_migration_ends_its_own_transaction() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("BEGIN")
    for name, text in migration_files():
        for statement in statements(text):
            connection.execute(statement)
            assert connection.in_transaction, name
    connection.close()


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [name.partition("_")[0] for name, _ in migration_files()]
    assert numbers == [f"{number:03}" for number in range(1, len(numbers) + 1)]
    assert "009_rollback_events" in dict(migration_files())


def test_the_status_of_a_stage_is_still_one_of_those_that_are_known(path: Path) -> None:
    """Written into the schema alone, in words that make SQLite build no table for each row."""
    open_database(path).close()
    connection = sqlite3.connect(path)
    (text,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'stages'").fetchone()
    assert "CASE status" in text
    assert "status IN" not in text
    for status in StageStatus:
        values = (list(StageStatus).index(status), status.value)
        insert = "INSERT INTO stages (run_id, position, stage_name, agent, status)"
        connection.execute(f"{insert} VALUES (1, ?, 'a', 'a', ?)", values)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        connection.execute("UPDATE stages SET status = 'unheard-of'")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
