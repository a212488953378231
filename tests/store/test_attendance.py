"""Who is at a database: the kernel's locks say so, and nobody writes anything for it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrate_tui.domain.presence import Mode, Person
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.attendance import Attendance, named, present
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.fencing import read_owner
from orchestrate_tui.store.processes import told_process
from tests.store.conftest import Process, Spawn
from tests.store.scenery import OWN, REPOSITORY, Store

LOOK = """
import os, sys
from pathlib import Path
from orchestrate_tui.store.attendance import Attendance
from orchestrate_tui.store.database import StoreFiles
os.seteuid(int(sys.argv[2]) if sys.argv[2:] else os.geteuid())
there = Attendance(StoreFiles(Path(sys.argv[1])))
print("there", flush=True)
sys.stdin.read()
"""


def looking(spawn: Spawn, path: Path) -> Process:
    """Another process with a console that only watches."""
    process = spawn(LOOK, path)
    assert process.stdout
    assert process.stdout.readline() == "there\n"
    return process


def others(store: Store) -> list[Person]:
    return [one for one in present(store.database.files) if one.pid != os.getpid()]


def test_an_executor_is_there_as_a_command(store: Store) -> None:
    (me,) = present(store.database.files)
    assert (me.pid, me.user, me.epochs) == (
        os.getpid(),
        current_user(),
        frozenset({store.epoch}),
    )
    assert me.mode is Mode.COMMAND
    assert me.since is not None
    assert timedelta() < datetime.now(UTC) - me.since < timedelta(days=1)


def test_a_console_with_an_executor_may_act_until_it_ends(store: Store) -> None:
    with Attendance(store.database.files) as there:
        assert [one.mode for one in there.people()] == [Mode.CONSOLE]
    assert [one.mode for one in there.people()] == [Mode.COMMAND]


def test_what_was_found_out_ahead_is_told_once(store: Store) -> None:
    with Attendance(store.database.files) as there:
        there.look_ahead()
        assert [one.mode for one in there.people()] == [Mode.CONSOLE]
    assert [one.mode for one in there.people()] == [Mode.COMMAND]


def test_a_console_without_an_executor_only_watches(store: Store, spawn: Spawn) -> None:
    process = looking(spawn, store.path)
    (viewer,) = others(store)
    assert (viewer.pid, viewer.user, viewer.mode) == (process.pid, current_user(), Mode.READ_ONLY)
    assert viewer.terminal == ""


def test_who_is_killed_is_gone_and_leaves_nothing(store: Store, spawn: Spawn) -> None:
    process = looking(spawn, store.path)
    before = sorted(store.path.parent.rglob("*"))
    process.kill()
    process.wait()
    assert others(store) == []
    assert sorted(store.path.parent.rglob("*")) == before


def test_an_executor_is_named_by_the_number_that_its_process_has_here(
    store: Store, spawn: Spawn
) -> None:
    process = spawn(OWN, store.path)
    assert process.stdout
    epoch = int(process.stdout.readline())
    owner = store.database.read(lambda connection: read_owner(connection, epoch))
    assert owner is not None
    elsewhere = replace(owner, pid=1)  # as it is numbered in a namespace of its own
    assert named(store.database.files, elsewhere) == f"bob (process {process.pid})"
    process.kill()
    process.wait(60)
    assert named(store.database.files, owner) == f"bob (process {process.pid})"
    assert named(store.database.files, None) == "another executor"


def test_a_process_is_named_with_its_user_as_far_as_these_are_known() -> None:
    assert told_process(os.getpid()) == f"Process {os.getpid()} of {current_user()}"
    assert told_process(1 << 30) == f"Process {1 << 30}"
    assert told_process(None) == "A process that cannot be seen from here"


def test_who_was_stopped_is_still_there(store: Store, spawn: Spawn) -> None:
    process = looking(spawn, store.path)
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert [one.pid for one in others(store)] == [process.pid]


def test_several_are_told_apart(store: Store, spawn: Spawn) -> None:
    pids = sorted(looking(spawn, store.path).pid for _ in range(3))
    assert [one.pid for one in others(store)] == pids


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_a_console_is_seen_on_its_terminal(store: Store, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    name = os.ttyname(slave).removeprefix("/dev/")
    take = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", take + LOOK, str(store.path)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    try:
        assert b"there" in os.read(master, 100)
        assert [one.place for one in others(store)] == [name]
    finally:
        process.kill()
        process.wait()


def test_where_no_console_may_be_noted_nobody_is_seen(tmp_path: Path) -> None:
    files = StoreFiles(tmp_path / "none.db")
    with Attendance(files) as there:
        assert there.people() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_not_read_the_file_is_not_seen_and_not_disturbed(
    store: Store, spawn: Spawn
) -> None:
    process = spawn(LOOK, store.path, 65534)
    assert process.stdout
    assert process.stdout.readline() == "there\n"
    assert others(store) == []
