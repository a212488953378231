"""Has subjects do the same work in turn, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from statistics import median
from typing import TextIO

from benchmarks.figures import Figure

ROOT = Path(__file__).parents[1]
LIMIT_S = 60
"""A subject that takes longer is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A command whose last line of output says what its work took."""

    name: str
    command: Sequence[str]
    stores: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one process said of its work."""

    seconds: float
    cpu_s: float
    peak_memory_mb: float


def measured_in_turn(
    workload: str, title: str, subjects: Sequence[Subject], rounds: int, scratch: Path
) -> list[Figure]:
    """A figure for each subject; in each round every subject works once.

    One that fails has no samples, and its note says why.
    """
    readings: dict[str, list[Reading]] = {one.name: [] for one in subjects}
    failures: dict[str, str] = {}
    for number in range(rounds):
        for one in subjects:
            if one.name in failures:
                continue
            folder = scratch / f"{one.name}-{number}"
            folder.mkdir(parents=True)
            try:
                readings[one.name].append(run(one.command, folder))
            except SubjectFailed as failure:
                failures[one.name] = str(failure)
    return [
        _figure(workload, title, one, readings[one.name], failures.get(one.name, ""))
        for one in subjects
    ]


class SubjectFailed(Exception):
    """A subject did not do its work; the text says why in a line."""


def run(command: Sequence[str], folder: Path) -> Reading:
    """Have a subject work in `folder`, with this repository to import from.

    Raises SubjectFailed.
    """
    with (
        (folder / "output").open("w+") as output,
        (folder / "errors").open("w+") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        ) as process,
    ):
        try:
            process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise SubjectFailed(f"gave up after {LIMIT_S} s") from None
        finally:  # a server that a peer has started does not always end with it
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
        return _reading(process.returncode, _lines(output), _lines(errors))


def _lines(file: TextIO) -> list[str]:
    file.seek(0)
    return [line.strip() for line in file if line.strip()]


def _reading(code: int, output: Sequence[str], errors: Sequence[str]) -> Reading:
    """What the process said of itself, last of all if it succeeded. Raises SubjectFailed."""
    said = [line for line in output if line.startswith('{"seconds"')]
    if code or not said:
        reason = [*output, *errors] or [f"exit {code}"]
        raise SubjectFailed(f"failed: {reason[-1][:200]}")
    return Reading(**json.loads(said[-1]))


def environment(folder: Path) -> Mapping[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "",  # an installed program has its bytecode
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


def _figure(
    workload: str, title: str, subject: Subject, readings: Sequence[Reading], failure: str
) -> Figure:
    taken = () if failure else tuple(readings)
    return Figure(
        workload=workload,
        title=title,
        subject=subject.name,
        samples=tuple(one.seconds for one in taken),
        cpu_s=tuple(one.cpu_s for one in taken),
        peak_memory_mb=median(one.peak_memory_mb for one in taken) if taken else None,
        stores=subject.stores,
        note="; ".join(filter(None, (subject.note, failure))),
    )
