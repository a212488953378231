"""Copies of a database: complete, verified, their owner's alone, and made while somebody writes."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.errors import NotFound, Refused, StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.backup import back_up
from orchestrate_tui.store.connection import connect_reader
from orchestrate_tui.store.examination import check_database, check_record
from orchestrate_tui.store.history import History
from tests.small_disk import fill, small_disk
from tests.store.conftest import Spawn
from tests.store.scenery import Store
from tests.store.test_event_chain import CHANGE, events, tamper, unchained
from tests.store.test_sudden_death import WORK, acknowledged, kill


@pytest.fixture
def written(path: Path) -> Path:
    with open_database(path) as database:
        store = Store.of(database)
        store.ended_run()
        store.owner.release()
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.is_file()}


def test_a_backup_is_used_in_the_place_of_the_database(written: Path, target: Path) -> None:
    back_up(written, target)
    assert events(target) == events(written)
    assert check_database(target).endswith("its schema is current")
    assert check_record(target) == "5 event(s), none changed and none missing"
    with open_database(target) as database:
        store = Store.of(database)
        store.ended_run()
        store.owner.release()
    assert check_record(target).startswith("10 event(s)")
    assert check_record(written).startswith("5 event(s)")


def test_only_its_owner_reads_a_backup_and_nothing_else_is_left(
    written: Path, target: Path
) -> None:
    made = back_up(written, target)
    assert names(target.parent) == {"copy.db", "copy.db.head"}
    for file in target.parent.glob("copy.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.size_bytes == target.stat().st_size


def test_a_backup_changes_nothing_of_the_database(written: Path, target: Path) -> None:
    before = written.read_bytes(), names(written.parent)
    back_up(written, target)
    assert (written.read_bytes(), names(written.parent)) == before


def test_each_of_many_backups_of_a_busy_database_is_whole(
    path: Path, target: Path, spawn: Spawn
) -> None:
    processes = [spawn(WORK, path, 10**6) for _ in range(2)]
    kept: set[int] = set()
    for lap in range(5):
        for process in processes:
            kept |= set(acknowledged(process, 20))
        copy = target.with_name(f"copy-{lap}.db")
        made = back_up(path, copy)
        assert made.verdict.damage == ()
        check_database(copy)
        with closing(connect_reader(copy)) as connection:
            runs = {row["id"] for row in connection.execute("SELECT id FROM runs")}
        assert kept <= runs
    for process in processes:
        kill(process)


def test_a_backup_of_what_a_killed_process_left_has_its_commits(
    path: Path, target: Path, spawn: Spawn
) -> None:
    process = spawn(WORK, path, 10**6)
    kept = acknowledged(process, 50)
    kept += kill(process)
    back_up(path, target)
    history = History(target)
    assert set(kept) <= {run.id for run in history.runs(limit=10**6)}
    history.close()


def test_a_file_that_is_there_is_replaced_only_when_that_is_wanted(
    written: Path, target: Path
) -> None:
    target.write_text("precious")
    with pytest.raises(Refused, match="is there already"):
        back_up(written, target)
    assert target.read_text() == "precious"
    back_up(written, target, replaces=True)
    assert check_record(target).startswith("5 event(s)")


def test_a_database_in_use_is_never_replaced(written: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    open_database(other).close()
    link = tmp_path / "link.db"
    link.symlink_to(written)
    for file in (written, other, link):
        with pytest.raises(Refused, match="is a database in use"):
            back_up(written, file, replaces=True)


def test_what_is_no_place_for_a_backup_is_refused(written: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="There is no folder"):
        back_up(written, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(Refused, match="is no file"):
        back_up(written, tmp_path)
    with pytest.raises(NotFound):
        back_up(tmp_path / "missing.db", tmp_path / "copy.db")


def test_a_stranger_is_not_backed_up(tmp_path: Path, target: Path) -> None:
    strange = tmp_path / "strange.db"
    with closing(sqlite3.connect(strange)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(StoreError, match="another program"):
        back_up(strange, target)
    assert not target.exists()


def test_damage_is_copied_as_it_is_and_told(written: Path, target: Path) -> None:
    tamper(written, CHANGE.replace("9", "3"), "DELETE FROM events WHERE id = 5")
    said = [one.sentence for one in back_up(written, target).verdict.damage]
    assert said == ["event 3 was changed", "event 5 is lost, though committed"]
    with pytest.raises(StoreError, match="event 3 was changed; event 5 is lost"):
        check_record(target)


def test_a_backup_without_room_leaves_nothing(written: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as folder:
        fill(folder)
        with pytest.raises(StoreError, match=r"could not be written: database or disk is full"):
            back_up(written, folder / "copy.db")
        assert names(folder) == {"filler"}


# The copy that is made before a database is brought up to date

OPEN_AT_ONCE = """
import sys
sys.stdin.read()
from orchestrate_tui.store import open_database
with open_database(sys.argv[1]) as database:
    print(database.former or "", flush=True)
"""


def test_an_older_database_is_kept_once_before_it_is_changed_whoever_comes_first(
    written: Path, spawn: Spawn
) -> None:
    unchained(written)
    older = written.with_name("older.db")
    shutil.copy(written, older)
    processes = [spawn(OPEN_AT_ONCE, written) for _ in range(8)]
    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    ended = [process.communicate(timeout=100) for process in processes]
    assert [complaint for _, complaint in ended] == [""] * 8
    (former,) = (Path(output.strip()) for output, _ in ended if output.strip())
    assert former.name.startswith("store.db.0")
    assert stat.S_IMODE(former.stat().st_mode) == 0o600
    assert [file.name for file in written.parent.glob("*.backup")] == [former.name]
    with closing(connect_reader(former)) as kept, closing(connect_reader(older)) as before:
        assert list(map(tuple, kept.execute("SELECT * FROM events"))) == list(
            map(tuple, before.execute("SELECT * FROM events"))
        )
    assert check_record(written).startswith("5 event(s), none changed")
    open_database(former).close()
    assert check_record(former).startswith("5 event(s), none changed")


def test_a_database_is_not_changed_when_it_cannot_be_kept_before(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as folder:
        path = folder / "store.db"
        with open_database(path) as database:
            database.write(lambda c: c.execute("CREATE TABLE large (x)").close())
            database.write(
                lambda c: c.execute("INSERT INTO large VALUES (zeroblob(700000))").close()
            )
        unchained(path)
        filler = folder / "filler"
        filler.write_bytes(bytes(500_000))
        before = path.read_bytes()
        with pytest.raises(StoreError, match=r"The copy .* could not be written"):
            open_database(path)
        assert path.read_bytes() == before
        assert not list(folder.glob("*.backup"))
        filler.unlink()
        open_database(path).close()


def test_a_new_database_needs_no_copy(path: Path) -> None:
    with open_database(path) as database:
        assert database.former is None
    with open_database(path) as database:
        assert database.former is None
    assert not list(path.parent.glob("*.backup*"))
