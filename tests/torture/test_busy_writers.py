"""Many processes that write at once, and checkpoints while one stands still."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from orchestrate_tui.store import open_database
from orchestrate_tui.store.examination import check_record
from tests.torture.conftest import Amount, Figure
from tests.torture.test_stopped_processes import complete_runs, disturb, processes

REPOSITORY = Path(__file__).parents[2]
WRITERS = 8
PATIENCE_S = 60.0
LONGEST_WAIT_S = 2.0  # on a machine with other things to do; alone it is 0.5

STAND_STILL = """
import os, signal, sys
from orchestrate_tui.store import open_database
with open_database(sys.argv[1]) as database:
    def change(connection):
        connection.execute("CREATE TABLE half (x)")
        os.kill(os.getpid(), signal.SIGSTOP)
    database.write(change)
"""
WRITE = """
import sys, time
from orchestrate_tui.store import open_database
from tests.store.scenery import Store
with open_database(sys.argv[1]) as database:
    store = Store.of(database)
    print("ready", flush=True)
    sys.stdin.readline()
    until, longest_s, kept = time.monotonic() + float(sys.argv[2]), 0.0, []
    while (began := time.monotonic()) < until:
        kept.append(store.new_run())
        longest_s = max(longest_s, time.monotonic() - began)
    print(longest_s, *kept, flush=True)
"""
CHECKPOINT = """
import sqlite3, sys
from orchestrate_tui.store import open_database
def bare(path):
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

def locked(path):
    open_database(path).close()

{"bare": bare, "locked": locked}[sys.argv[2]](sys.argv[1])
print("checkpointed", flush=True)
"""


def run(path: Path, script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path), *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


@contextmanager
def standing_writer(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was stopped in the middle of a transaction."""
    open_database(path).close()
    process = run(path, STAND_STILL)
    try:
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def overtakes(path: Path, how: str) -> bool:
    """Whether a checkpoint of that kind is over before a writer that stands still goes on."""
    with standing_writer(path) as writer:
        checkpoint = run(path, CHECKPOINT, how)
        said: list[bytes] = []
        assert checkpoint.stdout is not None
        reading = Thread(target=lambda out=checkpoint.stdout: said.append(out.readline()))
        reading.start()
        reading.join(1.0 if how == "locked" else PATIENCE_S)
        came_first = bool(said)
        writer.send_signal(signal.SIGCONT)
        reading.join(PATIENCE_S)
        assert said == [b"checkpointed\n"]
        checkpoint.communicate()
        assert writer.wait(PATIENCE_S) == 0
    return came_first


@pytest.mark.attack("paused checkpoints")
def test_no_checkpoint_overtakes_a_writer_that_stands_still(tmp_path: Path) -> None:
    assert not overtakes(tmp_path / "store.db", "locked")


@pytest.mark.control("paused checkpoints")
def test_a_checkpoint_without_the_file_lock_does(tmp_path: Path) -> None:
    assert overtakes(tmp_path / "store.db", "bare")


@pytest.mark.attack("busy writers")
def test_many_busy_processes_do_not_lock_each_other_out(
    amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    open_database(path).close()
    seconds = amount(short=4, long=60)
    started = [run(path, WRITE, str(seconds)) for _ in range(WRITERS)]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write(b"go\n")
    ended = [process.communicate() for process in started]
    assert [errors for _, errors in ended] == [b""] * WRITERS
    longest = [float(output.split()[0]) for output, _ in ended]
    kept = [int(word) for output, _ in ended for word in output.split()[1:]]
    with closing(sqlite3.connect(path)) as connection:
        stored = [run_id for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY id")]
    assert sorted(kept) == stored
    assert check_record(path).startswith(f"{len(kept)} event(s), none changed")
    figure("writes", f"{len(kept)} of {WRITERS} processes, longest wait {max(longest):.3f} s")
    assert max(longest) < LONGEST_WAIT_S


@pytest.mark.control("busy writers")
def test_who_does_not_wait_in_line_is_locked_out(tmp_path: Path) -> None:
    with processes(tmp_path / "store.db", 2, *["careless"] * 4) as started:
        complaints = b"".join(process.communicate()[1] for process in started)
    assert b"database is locked" in complaints


@pytest.mark.attack("paused checkpoints")
@pytest.mark.parametrize("lap", range(6))
def test_writers_paused_at_any_moment_leave_a_database_that_is_whole(
    lap: int, rng: random.Random, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    """Every writer makes checkpoints too: after each thousand pages, and when it ends."""
    if lap >= amount(short=1, long=6):
        pytest.skip("the long form has more laps")
    times = 0
    for number in range(amount(short=1, long=10)):
        path = tmp_path / f"{number}.db"
        with processes(path, amount(short=3, long=10), *["work"] * 4) as started:
            times += disturb(started, rng, amount(short=3, long=10))
            ended = [process.communicate() for process in started]
        assert [errors for _, errors in ended] == [b""] * 4
        complete_runs(path)
        check_record(path)
    figure("pauses", times)
