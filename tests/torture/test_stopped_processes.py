"""Owners and writers are stopped at any moment and go on later; nobody takes them for dead."""

from __future__ import annotations

import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrate_tui.store import open_database
from tests.torture.conftest import Amount, Figure

REPOSITORY = Path(__file__).parents[2]
PAUSES_S = (0.001, 0.005, 0.02, 0.1, 0.3)
LONGEST_WAIT_S = 5.0
LONGEST_STOP_S = 1.0
PATIENCE_S = 15.0

Process = subprocess.Popen[bytes]


@contextmanager
def processes(path: Path, seconds: int, *how: str) -> Iterator[list[Process]]:
    """These processes on one database, all of them ready; they are killed in the end."""
    open_database(path).close()
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.torture.writers", str(path), str(seconds), role],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # or what is read with the first line is lost to communicate()
        )
        for role in how
    ]
    try:
        for process in started:
            assert process.stdout
            process.stdout.readline()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def disturb(chosen: list[Process], rng: random.Random, seconds: float) -> int:
    """Stop one process after the other and let it go on; returns how often."""
    until, times = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        victim = rng.choice(chosen)
        victim.send_signal(signal.SIGSTOP)
        time.sleep(rng.choice(PAUSES_S))
        victim.send_signal(signal.SIGCONT)
        time.sleep(rng.random() / 100)
        times += 1
    return times


def stop_until_told(victim: Process, judge: Process) -> str:
    """Stop a process until another one has said something; returns what.

    It may be stopped while there is nothing to say of it, or while it makes the other one wait:
    then it goes on, and is stopped again.
    """
    assert judge.stdout
    until = time.monotonic() + PATIENCE_S
    verdict = b""
    while not verdict and time.monotonic() < until:
        victim.send_signal(signal.SIGSTOP)
        if select.select([judge.stdout], [], [], LONGEST_STOP_S)[0]:
            verdict = judge.stdout.readline()
        victim.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    return verdict.decode()


def told(
    path: Path, rng: random.Random, seconds: int, *how: str
) -> tuple[int, list[list[str]], str]:
    """How often these processes were stopped, what each said, and what all complained about."""
    with processes(path, seconds, *how) as started:
        times = disturb(started, rng, seconds)
        ended = [process.communicate() for process in started]
    said = [output.decode().split("\n") for output, _ in ended]
    return times, said, b"".join(errors for _, errors in ended).decode()


def complete_runs(path: Path) -> set[int]:
    """The runs all of whose five events are there, in a database that is sound."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    events = Counter(run for (run,) in connection.execute("SELECT run_id FROM events"))
    connection.close()
    return {run for run, count in events.items() if count == 5}


@pytest.mark.attack("stopped processes")
def test_a_stopped_process_is_waited_for_and_keeps_its_runs(
    rng: random.Random, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    seconds = amount(short=5, long=120)
    times, said, complaints = told(path, rng, seconds, "work", "work", "work", "recover")
    assert complaints == ""
    assert said[-1] == [""], "nobody was dead"
    acknowledged = [int(line) for lines in said for line in lines if line.isdecimal()]
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) == complete_runs(path)
    waits = [float(line.split()[1]) for lines in said for line in lines if "longest" in line]
    assert max(waits) < LONGEST_WAIT_S
    figure("stopped", f"{times} times during {5 * len(acknowledged)} writes of 3 processes")


@pytest.mark.control("stopped processes")
def test_who_does_not_wait_for_a_stopped_writer_is_locked_out(
    rng: random.Random, tmp_path: Path
) -> None:
    _, _, complaints = told(tmp_path / "store.db", rng, 4, "careless", "careless", "careless")
    assert "database is locked" in complaints


@pytest.mark.control("stopped processes")
def test_who_judges_by_the_clock_takes_a_stopped_owner_for_dead(tmp_path: Path) -> None:
    with processes(tmp_path / "store.db", 20, "work", "hasty") as (worker, judge):
        verdict = stop_until_told(worker, judge)
        _, complaints = worker.communicate()
    assert verdict.startswith("interrupted")
    assert "StaleTransition" in complaints.decode()
