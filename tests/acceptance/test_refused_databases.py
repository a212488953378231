"""Files that are not ours, or not to be used: refused by every command, and left untouched."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.cli import main
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import definitions, open_database
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.history import History
from tests.store.scenery import Store
from tests.store.test_event_chain import unchained

PIPELINE = """
name: p
agents: {a: {shell: "true"}}
stages: [{name: s, agent: a, task: t}]
"""

CRASHED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
os._exit(0)
"""

Make = Callable[[Path], object]


def foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (*statements, "CREATE TABLE customers (name TEXT)"):
            connection.execute(statement)


def crashed(path: Path, *statements: str) -> None:
    subprocess.run([sys.executable, "-c", CRASHED, str(path), *statements], check=True)


def crashed_without_index(path: Path) -> None:
    crashed(path, "PRAGMA journal_mode = WAL", "CREATE TABLE customers (name TEXT)")
    path.with_name(f"{path.name}-shm").unlink()


def alone(path: Path) -> None:
    """A new database of ours, and nothing beside it."""
    open_database(path).close()
    for other in set(path.parent.iterdir()) - {path}:
        shutil.rmtree(other) if other.is_dir() else other.unlink()


def newer(path: Path) -> None:
    alone(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO migration_files VALUES ('999_later', 'x')")
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)


def newer_in_its_log(path: Path) -> None:
    alone(path)
    crashed(path, "INSERT INTO migration_files VALUES ('999_later', 'x')")


def overwritten(path: Path, start: int, end: int) -> None:
    alone(path)
    content = bytearray(path.read_bytes())
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)


def with_a_name_that_is_no_text(path: Path) -> None:
    alone(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "UPDATE migration_files SET name = CAST(x'ff' AS TEXT) WHERE name = '001_definitions'"
        )


def with_a_schema_that_is_no_text(path: Path) -> None:
    alone(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE runs", b"CREATE \xff\xfe\xff\xfe\xff runs"))


def cut_off(path: Path) -> None:
    alone(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def with_events(path: Path) -> None:
    """A database of ours with the events of a run."""
    with open_database(path) as database:
        store = Store.of(database)
        store.ended_run()
        store.owner.release()


def removed(path: Path) -> None:
    with_events(path)
    path.unlink()


def removed_beside_its_log(path: Path) -> None:
    removed(path)
    path.with_name(f"{path.name}-wal").write_bytes(bytes(5000))
    path.with_name(f"{path.name}-shm").write_bytes(bytes(32768))


def emptied(path: Path) -> None:
    with_events(path)
    path.write_bytes(b"")


def emptied_beside_its_log(path: Path) -> None:
    removed_beside_its_log(path)
    path.touch()


def made_anew(path: Path) -> None:
    """Another database in its place, in which nothing was made yet."""
    removed(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def from_before(path: Path) -> None:
    """A copy of an earlier version in its place, whose events had no hashes."""
    with_events(path)
    head = StoreFiles(path).head.read_bytes()
    unchained(path)
    StoreFiles(path).head.write_bytes(head)


def removed_beside_a_broken_head(path: Path) -> None:
    removed(path)
    StoreFiles(path).head.write_bytes(b"?")


FILES: dict[str, tuple[Make, str]] = {
    "a text": (lambda path: path.write_text("my notes\n" * 500), "is not a database of"),
    "a picture": (
        lambda path: path.write_bytes(b"\x89PNG\r\n" + bytes(9000)),
        "is not a database of",
    ),
    "another program's": (foreign, "is a database of another program"),
    "another program's, marked": (
        lambda path: foreign(path, "PRAGMA application_id = 7"),
        "is a database of another program",
    ),
    "another program's, with a log": (
        lambda path: foreign(path, "PRAGMA journal_mode = WAL"),
        "is a database of another program",
    ),
    "another program's that crashed": (
        lambda path: crashed(path, "PRAGMA journal_mode = WAL", "CREATE TABLE customers (x)"),
        "is a database of another program",
    ),
    "another program's, its log without an index": (
        crashed_without_index,
        "is a database of another program",
    ),
    "a newer version's": (newer, "is newer than this program"),
    "a newer version's that crashed": (newer_in_its_log, "is newer than this program"),
    "one cut off": (cut_off, "is damaged"),
    "one without its schema": (lambda path: overwritten(path, 100, 4096), "is damaged"),
    "one with a name that is no text": (with_a_name_that_is_no_text, "is damaged"),
    "one with a schema that is no text": (with_a_schema_that_is_no_text, "is damaged"),
    "one with another head": (lambda path: overwritten(path, 0, 16), "is not a database of"),
    "one removed": (removed, "is missing, or empty, though some.db.head beside it names event 5"),
    "one removed, its log left": (removed_beside_its_log, "is missing, or empty, though some.db"),
    "one removed, its head broken": (removed_beside_a_broken_head, "names its last event"),
    "one emptied": (emptied, "is missing, or empty, though some.db.head beside it names event 5"),
    "one emptied, its log left": (emptied_beside_its_log, "is missing, or empty, though some.db"),
    "one made anew": (made_anew, "has lost its events, though some.db.head beside it names"),
    "one from before": (from_before, "has lost its events, though some.db.head beside it names"),
}

COMMANDS: list[list[str]] = [
    ["runs"],
    ["show", "1"],
    ["rollbacks"],
    ["logs", "1", "s"],
    ["doctor"],
    ["doctor", "--accept-damage", "all of it"],
    ["run", "pipeline.yaml"],
    ["resume", "1"],
    ["approve", "1", "s"],
    ["cancel", "1"],
    ["rollback", "1", "--from", "s", "--to", "s", "--yes"],
    ["backup", "copy.db"],
    ["publish", "published"],
]


def everything_in(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, mode and time of change; SQLite's index, which every reader locks, without time."""
    return {
        file.name: (
            file.read_bytes() if file.is_file() else b"",
            file.stat().st_mode,
            0 if file.name.endswith("-shm") else file.stat().st_mtime_ns,
        )
        for file in folder.iterdir()
    }


@pytest.mark.parametrize("what", FILES)
def test_it_is_refused_in_one_sentence_and_left_as_it_is(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    make, sentence = FILES[what]
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    path = folder / "some.db"
    make(path)
    before = everything_in(folder)
    for command, *arguments in COMMANDS:
        code = main([command, "--db", str(path), *arguments])
        told = capfd.readouterr()
        assert everything_in(folder) == before, command
        assert code == (1 if command == "doctor" and not arguments else 2), command
        assert (told.out + told.err).count(sentence) == 1, command
    assert not (tmp_path / "copy.db").exists()
    assert not list(tmp_path.glob("published/some*"))
    with pytest.raises(StoreError, match=re.escape(sentence)):
        History(path, hands_off=True)
    assert everything_in(folder) == before


def test_a_pipe_is_no_database_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe.db"
    os.mkfifo(path)
    with pytest.raises(StoreError, match="it is not a file"):
        History(path, hands_off=True)


def test_an_empty_file_has_no_runs_and_stays_empty(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    assert main(["runs", "--db", str(path)]) == 0
    assert "No runs yet" in capfd.readouterr().err
    for command in (["show", "1"], ["resume", "1"], ["approve", "1", "s"], ["logs", "1", "s"]):
        assert main([command[0], "--db", str(path), *command[1:]]) == 2
        assert "Run a pipeline first" in capfd.readouterr().err
    assert main(["doctor", "--db", str(path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["empty.db"]
    assert path.read_bytes() == b""


def test_doctor_names_a_changed_event_and_goes_on_when_told_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, pipeline = tmp_path / "our.db", tmp_path / "pipeline.yaml"
    pipeline.write_text(PIPELINE)
    assert main(["run", "--db", str(path), str(pipeline)]) == 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_are_not_altered")
        connection.execute("UPDATE events SET actor = 'nobody' WHERE id = 1")
    capfd.readouterr()
    assert main(["run", "--db", str(path), str(pipeline)]) == 2
    assert "event 1 was changed. Restore a backup" in capfd.readouterr().err
    assert main(["doctor", "--db", str(path)]) == 1
    assert "✗ record: The record in" in capfd.readouterr().out
    assert main(["doctor", "--db", str(path), "--accept-damage", " "]) == 2
    assert "only with a reason" in capfd.readouterr().err
    assert main(["doctor", "--db", str(path), "--accept-damage", "a drill"]) == 0
    told = capfd.readouterr()
    assert "Accepted: event 1 was changed" in told.err
    assert "damage in 1 place(s) was accepted" in told.out
    assert main(["run", "--db", str(path), str(pipeline)]) == 0


def test_a_database_that_was_removed_is_made_anew_when_its_head_is_removed_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, pipeline = tmp_path / "our.db", tmp_path / "pipeline.yaml"
    pipeline.write_text(PIPELINE)
    removed_beside_its_log(path)
    assert main(["run", "--db", str(path), str(pipeline)]) == 2
    assert f"remove {path}.head" in capfd.readouterr().err
    StoreFiles(path).head.unlink()
    assert main(["run", "--db", str(path), str(pipeline)]) == 0
    assert main(["doctor", "--db", str(path)]) == 0


@pytest.mark.parametrize(
    ("odd", "complaint"),
    [
        ("UPDATE runs SET status = 'odd'", "'odd' is not a valid RunStatus"),
        ("UPDATE runs SET definition_hash = 'odd'", "no definition odd"),
        ("UPDATE definitions SET body = 'odd'", "JSON is malformed"),
        ("UPDATE runs SET changed = '[1]'", "not a list of texts"),
        ("UPDATE runs SET variables = '[[\"a\", 1]]'", "not a list of texts"),
        ("UPDATE runs SET labels = '{}'", "not a list"),
        (f"UPDATE runs SET labels = '{'[' * 100_000}'", "maximum recursion depth exceeded"),
    ],
)
@pytest.mark.parametrize(
    "command", ["show 1", "doctor", "acknowledge 1", "rollback 1 --from build --to build --dry-run"]
)
def test_a_value_that_was_never_written_is_told_in_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], odd: str, complaint: str, command: str
) -> None:
    path = tmp_path / "our.db"
    with_events(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(odd)
    definitions._recent.clear()
    assert main([*command.split(), "--db", str(path)]) == (1 if command == "doctor" else 2)
    told = capfd.readouterr()
    assert f"could not be read: {complaint}" in told.out + told.err
