"""Runs a graph in a console, which shows it meanwhile, and says what that took.

    python -m benchmarks.driven SHAPE SIZE...

The run is started by keys, for the second time; what it took is what the record says of it, from
when it was asked for until its end was safe.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from benchmarks.shapes import Shape, shape
from benchmarks.terminal import PATIENCE_S, Session, console, session, start_run

_QUIET_S = 0.3
_LOOK_S = 0.05


def main() -> None:
    work, folder = shape(sys.argv[1:]), Path.cwd()
    database, file = folder / "bench.db", _written(folder, work)
    with session(console(database, file), leave_with="q", folder=folder) as running:
        running.until("No runs yet")
        _run(running, database, work, 1)
        before_s = running.cpu_s()
        seconds = _run(running, database, work, 2)
        cpu_s = running.cpu_s() - before_s
    memory_mb = running.peak_memory_mb
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "peak_memory_mb": memory_mb}))


def _run(running: Session, database: Path, work: Shape, run_id: int) -> float:
    """Start a run by keys and wait until the console shows its end; the seconds it took."""
    running.quiet(_QUIET_S)
    start_run(running, len(work.dependencies))
    seconds = _ended(database, run_id)
    running.quiet(_QUIET_S)
    return seconds


def _written(folder: Path, work: Shape) -> Path:
    """The pipeline file of a graph."""
    agent: dict[str, object] = {"simulated": {}}
    if work.command:
        agent = {"command": work.command}
    stages = [
        {"name": name, "agent": "worker", "task": "work", "depends_on": parents}
        for name, parents in work.dependencies.items()
    ]
    pipeline = {"name": work.name, "max_parallel": work.at_once, "agents": {"worker": agent}}
    path = folder / "work.yaml"
    path.write_text(json.dumps(pipeline | {"stages": stages}))  # which is YAML too
    return path


def _ended(database: Path, run_id: int) -> float:
    """Wait for the end of a run; how many seconds passed from its creation."""
    deadline = time.monotonic() + PATIENCE_S
    query = "SELECT status, created_at, completed_at FROM runs WHERE id = ?"
    while True:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as reader:
            row = reader.execute(query, (run_id,)).fetchone()
        if row and row[2]:
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"run {run_id} did not end: {row}")
        time.sleep(_LOOK_S)
    if row[0] != "succeeded":
        raise SystemExit(f"run {run_id} {row[0]}")
    created, completed = (datetime.fromisoformat(text) for text in row[1:])
    return (completed - created).total_seconds()


if __name__ == "__main__":
    main()
