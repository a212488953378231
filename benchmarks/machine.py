"""The machine that is measured on, and the versions of what is measured."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import timeit
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("anyio", "sqlite-utils", "textual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What figures have to be read with.

    `commit` is that of the source tree, marked where that was changed since, "" outside of one.
    `disk` is the kind of file system that the databases lay on. `load` is how many processes wanted
    a core in the minute before. `additions_s` is what a million additions in Python took then, in
    seconds; 0 where that was not looked at. Machines of one name differ in it by half.
    """

    processor: str
    cores: int
    memory_gb: float
    system: str
    disk: str
    versions: dict[str, str]
    commit: str
    load: float = 0
    additions_s: float = 0


def this_machine(scratch: Path) -> Machine:
    """The machine that this runs on, with databases in `scratch`."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 2**30, 1),
        system=f"{_distribution()}, Linux {platform.release()}",
        disk=_said("stat", "--file-system", "--format=%T", str(scratch)),
        versions={
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            **{name: version(name) for name in PACKAGES},
        },
        load=round(os.getloadavg()[0], 1),
        additions_s=round(min(timeit.repeat(_add_a_million, number=1, repeat=5)), 3),
        commit=_commit(),
    )


def _add_a_million() -> None:
    total = 0
    for number in range(1_000_000):
        total += number


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _commit() -> str:
    """What is measured; with "-dirty" when more than what is measured here differs from it."""
    commit = _said("git", "rev-parse", "--short=7", "HEAD")
    others = [f":!/benchmarks/{name}" for name in ("README.md", "results.json", "plots")]
    differs = _said("git", "status", "--porcelain", "--untracked-files=no", "--", ":/", *others)
    return commit + "-dirty" * bool(differs)


def _said(*words: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip()
