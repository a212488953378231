"""Starts the command line as a user does, and sees when its first stage runs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.turns import Reading, environment

PIPELINE = """\
name: start
agents: {clock: {command: [date, +%s%N]}}
stages:
  - {name: first, agent: clock, task: tell the time}
"""
# not by print: the command line makes the tabs visible
STATUS = "import os; os.write(1, open('/proc/self/status', 'rb').read())"
IMPORTS = f"import asyncio, yaml, time; print(time.time_ns(), flush=True); {STATUS}"
COMMAND = f"import sys; from orchestrate_tui.cli import main; main(); {STATUS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process that was started and has ended, and what it printed."""

    began_ns: int
    cpu_s: float
    printed: str


def imported(folder: Path) -> Reading:
    """A Python that imports what any such program would, until it has."""
    start = _started(folder, IMPORTS, ())
    return _reading(start, int(start.printed.split()[0]))


def first_stage(folder: Path) -> Reading:
    """`orchestrate-tui run`, until the program of the first stage runs."""
    (folder / "start.yaml").write_text(PIPELINE)
    database = folder / "bench.db"
    start = _started(folder, COMMAND, ("run", "start.yaml", "--db", str(database)))
    logs = sorted(
        (folder / "bench.db.runs").glob("*/first.1.log"), key=lambda log: int(log.parent.name)
    )
    return _reading(start, int(logs[-1].read_text().split()[-1]))


def _started(folder: Path, program: str, words: Sequence[str]) -> Start:
    before, began = getrusage(RUSAGE_CHILDREN), time.time_ns()
    done = subprocess.run(
        (sys.executable, "-c", program, *words),
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    after = getrusage(RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Start(began_ns=began, cpu_s=cpu_s, printed=done.stdout)


def _reading(start: Start, seen_ns: int) -> Reading:
    """From the start until what was waited for was seen; the processor time until the end."""
    peak = re.search(r"^VmHWM:\s+(\d+) kB", start.printed, re.MULTILINE)
    assert peak is not None
    return Reading(
        seconds=(seen_ns - start.began_ns) / 1e9,
        cpu_s=start.cpu_s,
        peak_memory_mb=int(peak.group(1)) * 1024 / 1e6,
    )
