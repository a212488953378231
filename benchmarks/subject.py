"""What a process says of the work that it did; standard library only, for peers too."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def report(seconds: float, cpu_s: float) -> None:
    """Print the figures of this process as the last line of its output."""
    reading = {"seconds": seconds, "cpu_s": cpu_s, "peak_memory_mb": peak_memory_mb()}
    sys.stdout.flush()
    print(json.dumps(reading), flush=True)


def timed(work: Callable[[], object]) -> None:
    """Do the work once and print what it took."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    report(time.perf_counter() - clock, time.process_time() - cpu)


def peak_memory_mb() -> float:
    """The most memory that this process ever had, in millions of bytes.

    The kernel's other counter, ru_maxrss, goes on with what the parent had.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found.group(1)) * 1024 / 1e6 if found else 0.0
