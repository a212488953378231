"""Who works on a run: a lock that says that its holder lives, and nothing else does."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import IO

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.locks import hold_for_life, is_held, try_hold
from orchestrate_tui.store.owners import Ownership, is_alive
from tests.store.conftest import Process, Spawn
from tests.store.scenery import NOON, Store

OWN = """
import subprocess, sys
from datetime import datetime, UTC
from orchestrate_tui.store import open_database
from orchestrate_tui.store.owners import Ownership
database = open_database(sys.argv[1])
owner = Ownership(database, "bob", datetime.now(UTC))
print(owner.epoch, flush=True)
"""
WAIT = "sys.stdin.read()"
LEAVE_A_CHILD = """
child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
"""


WRITE = """
import sys
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.locks import FileLock
from pathlib import Path
lock = FileLock(StoreFiles(Path(sys.argv[1])).write_lock)
with lock.held():
    print(0, flush=True)
    sys.stdin.read()
"""


def test_who_waits_for_a_writer_that_was_stopped_is_told_so(store: Store, spawn: Spawn) -> None:
    writer = spawn(WRITE, store.path)
    line(writer.stdout)
    writer.send_signal(signal.SIGSTOP)
    with pytest.raises(StoreError, match=rf"Process {writer.pid} of .* was stopped while it was"):
        open_database(store.path)
    kill(writer)
    open_database(store.path).close()


def line(stream: IO[str] | None) -> int:
    assert stream
    return int(stream.readline())


def kill(process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)


def test_an_executor_lives_until_it_lets_go(store: Store) -> None:
    owner = Ownership(store.database, "bob", NOON)
    assert is_alive(store.database.files, owner.epoch)
    owner.release()
    assert not is_alive(store.database.files, owner.epoch)
    assert not store.database.files.owner_lock(owner.epoch).exists()


def test_an_executor_lets_go_although_its_files_cannot_be_removed(store: Store) -> None:
    owner = Ownership(store.database, "bob", NOON)
    folder = store.database.files.owners
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("a file where a folder should be")
    owner.release()
    folder.unlink()
    folder.with_name("elsewhere").rename(folder)
    assert not is_alive(store.database.files, owner.epoch)


def test_nobody_and_an_unknown_executor_are_not_alive(store: Store) -> None:
    assert not is_alive(store.database.files, None)
    assert not is_alive(store.database.files, 4711)


def test_every_executor_has_an_epoch_of_its_own_for_ever(store: Store) -> None:
    epochs = []
    for _ in range(3):
        owner = Ownership(store.database, "bob", NOON)
        epochs.append(owner.epoch)
        owner.release()
    assert epochs == sorted(set(epochs))
    assert store.select("SELECT epoch, actor, pid FROM owners WHERE epoch = ?", epochs[0]) == [
        (epochs[0], "bob", os.getpid())
    ]


def test_an_executor_dies_with_its_process(store: Store, spawn: Spawn) -> None:
    process = spawn(OWN + WAIT, store.path)
    epoch = line(process.stdout)
    assert is_alive(store.database.files, epoch)
    kill(process)
    assert not is_alive(store.database.files, epoch)
    assert is_alive(store.database.files, store.epoch)


def test_what_an_executor_started_does_not_keep_it_alive(store: Store, spawn: Spawn) -> None:
    process = spawn(OWN + LEAVE_A_CHILD + WAIT, store.path)
    epoch, child = line(process.stdout), line(process.stdout)
    try:
        kill(process)
        assert Path(f"/proc/{child}/comm").read_text() == "sleep\n"
        assert not is_alive(store.database.files, epoch)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    descriptor = hold_for_life(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        hold_for_life(tmp_path / "lock")
    os.close(descriptor)
    os.close(hold_for_life(tmp_path / "lock"))


def test_looking_whether_an_executor_lives_does_not_disturb_it(store: Store, spawn: Spawn) -> None:
    process = spawn(OWN + WAIT, store.path)
    epoch = line(process.stdout)
    assert all(is_alive(store.database.files, epoch) for _ in range(100))


def test_an_executor_that_could_not_be_recorded_holds_no_lock(store: Store) -> None:
    """The commit fails after the lock was taken; the next one gets the same epoch."""
    store.execute("CREATE TABLE doom (x REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED)")
    store.execute(
        "CREATE TRIGGER fail AFTER INSERT ON owners BEGIN INSERT INTO doom VALUES (99); END"
    )
    with pytest.raises(StoreError, match="FOREIGN KEY constraint failed"):
        Ownership(store.database, "bob", NOON)
    store.execute("DROP TRIGGER fail")
    owner = Ownership(store.database, "bob", NOON)
    assert is_alive(store.database.files, owner.epoch)
    owner.release()


def test_an_executor_whose_lock_cannot_be_made_is_refused(database: Database) -> None:
    database.files.owners.write_text("in the way")
    with pytest.raises(StoreError, match="owners"):
        Ownership(database, "bob", NOON)
    assert database.read(lambda c: c.execute("SELECT count(*) FROM owners").fetchone()[0]) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_executor_whose_lock_cannot_be_read_counts_as_alive(store: Store, spawn: Spawn) -> None:
    look = """
import os, sys
from pathlib import Path
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.owners import is_alive
files = StoreFiles(Path(sys.argv[1]))
os.seteuid(65534)
print(is_alive(files, int(sys.argv[2])))
"""
    output, complaint = spawn(look, store.path, store.epoch).communicate(timeout=60)
    assert (output, complaint) == ("True\n", "")


@pytest.mark.parametrize("name", ["owner_lock", "owner_sign"])
def test_what_says_that_an_executor_lives_is_made_anew_when_it_was_removed(
    store: Store, name: str
) -> None:
    file: Path = getattr(store.database.files, name)(store.epoch)
    file.unlink()
    store.owner.keep()
    assert is_held(file)


def test_what_says_that_something_starts_is_made_anew_when_it_was_removed(store: Store) -> None:
    file = store.database.files.starting_lock(store.epoch)
    with store.owner.starting.held():
        file.unlink()
        store.owner.keep()
        assert try_hold(file) is None
    held = try_hold(file)
    assert held is not None
    os.close(held)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_lock_that_somebody_has_taken_meanwhile_is_waited_for_and_costs_nothing(
    store: Store,
) -> None:
    files = store.database.files
    file = files.starting_lock(store.epoch)
    with store.owner.starting.held():
        file.unlink()
        file.touch(mode=0o600)
        taken = try_hold(file)
        assert taken is not None
        files.owner_lock(store.epoch).unlink()
        store.owner.keep()
        assert is_held(files.owner_lock(store.epoch))
        before = open_descriptors()
        store.owner.keep()
        assert open_descriptors() == before
        os.close(taken)
        store.owner.keep()
        assert try_hold(file) is None
