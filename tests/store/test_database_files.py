"""The files of a database: who may read them, and what a stage's log is called."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.errors import NoRoom, StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.history import History
from orchestrate_tui.store.owners import is_alive
from tests.store.conftest import Spawn
from tests.store.scenery import REPOSITORY, Store

NAMES = [
    "build",
    "deploy prod (eu-west)",
    "größe-✓",
    "a/b",
    "a%2Fb",
    "/etc/passwd",
    "..",
    "../../escape",
    ".",
    "line\nbreak",
    "nul\0byte",
    "lone\ud800surrogate",
    "x" * 1000,
    "x" * 1001,
    "ö" * 150,
    "y" * 250 + "/1",
    "y" * 250 + "/2",
    "build.1",
    "build.rollback-7",
    "build.1.rollback-7",
]


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def mask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The process's umask while the test runs."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("mask")
def test_only_their_owner_reads_and_writes_the_files_of_a_database(tmp_path: Path) -> None:
    path = tmp_path / "far" / "away" / "store.db"
    with open_database(path) as database:
        store = Store.of(database)
        store.started_run()
        beside = {f.name: mode(f) for f in path.parent.iterdir() if f.is_file()}
        assert beside == dict.fromkeys(
            [
                f"store.db{ending}"
                for ending in ("", "-wal", "-shm", ".writelock", ".head", ".consoles")
            ],
            0o600,
        )
        assert mode(database.files.owner_lock(store.epoch)) == 0o600
        for folder in (database.files.owners, path.parent, path.parent.parent):
            assert mode(folder) == 0o700
        store.owner.release()


def test_a_folder_and_a_database_that_are_there_keep_their_modes(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    path = folder / "store.db"
    open_database(path).close()
    path.chmod(0o640)
    open_database(path).close()
    assert (mode(folder), mode(path)) == (0o755, 0o640)


def test_asking_where_files_lie_makes_none(tmp_path: Path) -> None:
    files = StoreFiles(tmp_path / "store.db")
    files.log(1, "build", 1)
    files.undo_log(1, 2, "build", 1)
    files.owner_lock(3)
    assert list(tmp_path.iterdir()) == []


def test_a_database_reached_through_a_link_has_the_same_locks(store: Store, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(store.path)
    with open_database(link) as linked:
        assert linked.files.write_lock == store.database.files.write_lock
        assert is_alive(linked.files, store.epoch)


def test_a_relative_path_stays_the_same_file_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_database("store.db") as database:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        assert Store.of(database).new_run() == 1
    assert list(elsewhere.iterdir()) == []


def test_the_log_of_a_plainly_named_stage_bears_its_name(tmp_path: Path) -> None:
    files = StoreFiles(tmp_path / "store.db")
    folder = tmp_path / "store.db.runs" / "7"
    assert files.log(7, "smoke test", 2) == folder / "smoke test.2.log"
    assert files.undo_log(7, 3, "smoke test", 1) == folder / "smoke test.1.rollback-3.log"


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_name_makes_a_file_in_the_folder_of_its_run(tmp_path: Path, name: str) -> None:
    files = StoreFiles(tmp_path / "store.db")
    folder = tmp_path / "store.db.runs" / "7"
    folder.mkdir(parents=True)
    for path in (files.log(7, name, 10**6), files.undo_log(7, 10**15, name, 10**6)):
        path.write_text("log")
        assert path.parent == folder
        assert path.resolve().parent == folder
        assert path.name.isprintable()


def test_no_two_logs_share_a_file(tmp_path: Path) -> None:
    files = StoreFiles(tmp_path / "store.db")
    logs = [files.log(7, name, attempt) for name in NAMES for attempt in (1, 7)]
    undos = [
        files.undo_log(7, rollback, name, attempt)
        for name in NAMES
        for attempt in (1, 7)
        for rollback in (1, 7)
    ]
    assert len({*logs, *undos}) == len(logs) + len(undos)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter and read, and only its owner may write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


READ = """
import os, sys
from orchestrate_tui.errors import NoRoom, StoreError
from orchestrate_tui.store.history import History
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    history = History(__import__("pathlib").Path(sys.argv[1]))
    print([run.status.value for run in history.runs()])
except StoreError as error:
    sys.exit(f"StoreError: {error}")
"""


@pytest.fixture
def open_program(open_folder: Path) -> Path:
    """The program where everybody may read it; the repository may lie in a private folder."""
    program = open_folder / "program"
    for name in ("orchestrate_tui", "migrations"):
        shutil.copytree(REPOSITORY / name, program / name)
    return program


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_trusted_reader_sees_what_a_living_writer_commits(
    open_folder: Path, open_program: Path, spawn: Spawn
) -> None:
    path = open_folder / "store.db"
    path.touch(mode=0o644)
    with open_database(path) as database:
        store = Store.of(database)
        store.ended_run()
        store.started_run()
        for file in open_folder.glob("store.db*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        database.files.owner_lock(store.epoch).chmod(0o644)
        output, complaint = spawn(READ, path, package=open_program).communicate(timeout=60)
        assert (output, complaint) == ("['running', 'succeeded']\n", "")
        store.owner.release()


def test_a_folder_is_no_database_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="it is a folder"):
        History(tmp_path)


def test_where_no_files_can_be_made_no_full_disk_is_blamed() -> None:
    with pytest.raises(
        StoreError, match=r"Cannot use the database /proc/store\.db.*--db"
    ) as raised:
        open_database(Path("/proc/store.db")).close()
    assert not isinstance(raised.value, NoRoom)
