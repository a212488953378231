"""What a process says of the work that it did; standard library only, for peers too."""

from __future__ import annotations

import argparse
import gc
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.shapes import Shape, shape


def read_work(words: list[str]) -> tuple[Shape, int]:
    """The graph and how many runs of it at once, from a command line such as `chain 9 --runs 1`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", nargs="+")
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args(words)
    return shape(given.shape), given.runs


def report(seconds: float, cpu_s: float) -> None:
    """Print the figures of this process as the last line of its output."""
    reading = {"seconds": seconds, "cpu_s": cpu_s, "peak_memory_mb": peak_memory_mb()}
    sys.stdout.flush()
    print(json.dumps(reading), file=sys.__stdout__, flush=True)  # doit puts another in its place


def timed(work: Callable[[], object]) -> None:
    """Do the work once and print what it took."""
    gc.collect()  # what was left over from the start is not of the work
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    report(time.perf_counter() - clock, time.process_time() - cpu)


def peak_memory_mb() -> float:
    """The most memory that this process ever had, in millions of bytes.

    The kernel's other counter, ru_maxrss, goes on with what the parent had.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found.group(1)) * 1024 / 1e6 if found else 0.0
