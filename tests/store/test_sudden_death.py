"""Processes that are killed at any moment, and many that write at once."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store import open_database
from orchestrate_tui.store.connection import connect_reader
from orchestrate_tui.store.history import History
from orchestrate_tui.store.recovery import mark_interrupted
from tests.store.conftest import Process, Spawn
from tests.store.scenery import NOON

KILLS = 6

# Starts and ends runs for ever, many at once, and says which of them it was told are kept.
WORK = """
import sys
from collections import deque
from functools import partial
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.store import open_database
from orchestrate_tui.store.runs import NewRun, change_run, change_stages, insert_run
from tests.store.scenery import NOON, Store, starting, succeeding

database = open_database(sys.argv[1])
store = Store.of(database)
limit = int(sys.argv[2])
new = NewRun(
    pipeline=Pipeline(name="shop", stages=(Stage(name="build", agent="robot", task="x" * 500),)),
    source="", trigger=TriggerContext(), actor="bob", simulated=False, workdir="", pipeline_dir="",
    epoch=store.epoch, at=NOON,
)

def whole_run(connection):
    run_id = insert_run(connection, new)
    change = partial(change_run, connection, run_id, epoch=store.epoch, at=NOON)
    change(expected=RunStatus.PENDING, status=RunStatus.RUNNING)
    change_stages(connection, run_id, store.epoch, [starting(), succeeding()])
    change(expected=RunStatus.RUNNING, status=RunStatus.SUCCEEDED)
    return run_id

waiting = deque()
made = 0
while made < limit:
    waiting.append(database.submit(whole_run))
    if len(waiting) > 20:
        print(waiting.popleft().result(), flush=True)
        made += 1
store.owner.release()
database.close()
"""


def acknowledged(process: Process, count: int) -> list[int]:
    """The next runs that the process says are kept."""
    assert process.stdout
    return [int(process.stdout.readline()) for _ in range(count)]


def kill(process: Process) -> list[int]:
    """Kill it in the middle of its work; what else it had said by then."""
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    whole, _, _ = rest.rpartition("\n")
    return [int(line) for line in whole.split()]


def check(path: Path) -> None:
    connection = connect_reader(path)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.mark.parametrize("round_number", range(KILLS))
def test_a_killed_process_leaves_all_it_was_told_is_kept_and_no_half_change(
    path: Path, spawn: Spawn, round_number: int
) -> None:
    process = spawn(WORK, path, 10**6)
    kept = acknowledged(process, random.Random(round_number).randrange(1, 300))
    kept += kill(process)
    with open_database(path) as database:
        check(path)
        history = History(path)
        events = {run.id: len(history.events(run.id)) for run in history.runs(limit=10**6)}
        ended = {run.id for run in history.runs(limit=10**6, status=RunStatus.SUCCEEDED)}
        history.close()
        assert mark_interrupted(database, NOON) == ()
    assert set(kept) <= ended == set(events)
    assert set(events.values()) == {5}


def test_a_process_that_is_killed_again_and_again_loses_nothing(path: Path, spawn: Spawn) -> None:
    kept: list[int] = []
    for _ in range(4):
        process = spawn(WORK, path, 10**6)
        kept += acknowledged(process, 40)
        kept += kill(process)
    check(path)
    with open_database(path):
        history = History(path)
        assert set(kept) <= {run.id for run in history.runs(limit=10**6)}
        history.close()
    assert len(kept) == len(set(kept))


def test_eight_processes_that_write_at_once_are_never_locked_out(path: Path, spawn: Spawn) -> None:
    processes = [spawn(WORK, path, 100) for _ in range(8)]
    ended = [process.communicate(timeout=50) for process in processes]
    assert [complaint for _, complaint in ended] == [""] * 8
    assert [process.returncode for process in processes] == [0] * 8
    check(path)
    kept = [int(line) for output, _ in ended for line in output.split()]
    connection = connect_reader(path)
    stored = {row["id"] for row in connection.execute("SELECT id FROM runs")}
    connection.close()
    assert len(kept) == 800 == len(set(kept))
    assert set(kept) <= stored


def test_a_process_that_is_killed_holds_nobody_up(path: Path, spawn: Spawn) -> None:
    victim, other = spawn(WORK, path, 10**6), spawn(WORK, path, 10**6)
    acknowledged(victim, 50)
    os.kill(victim.pid, signal.SIGSTOP)
    os.kill(victim.pid, signal.SIGKILL)
    acknowledged(other, 200)
    kill(other)
    check(path)


def test_a_reader_of_a_database_whose_writer_was_killed_sees_it_all(
    path: Path, spawn: Spawn
) -> None:
    process = spawn(WORK, path, 10**6)
    kept = acknowledged(process, 30)
    history = History(path)
    kept += kill(process)
    assert set(kept) <= {run.id for run in history.runs(limit=10**6)}
    history.close()
