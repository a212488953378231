"""The subjects that run graphs: the floor, SQLite alone, the executor, and the peers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.figures import FLOOR, OURS, Figure, Measurement, Options
from benchmarks.turns import Subject, measured_in_turn

SQLITE = "SQLite alone"
DURABLE = "every change of a stage and its event, SQLite, synchronous=FULL"


def measure_graph(
    workload: str, title: str, shape: str, options: Options, *, runs: int = 1
) -> list[Measurement]:
    """The figures of all engines for the graph that `shape` names, such as `layers 20 50`."""
    subjects = list(own_subjects(shape, runs))
    found: list[Figure] = measured_in_turn(
        workload, title, subjects, options.rounds, options.scratch
    )
    return list(found)


def own_subjects(shape: str, runs: int) -> Iterator[Subject]:
    words = [*shape.split(), "--runs", str(runs)]
    command = (sys.executable, "-m", "benchmarks.engine")
    yield Subject(
        name=FLOOR,
        command=(*command, "bare", *words),
        stores="nothing",
        note="a bare asyncio loop",
    )
    if not shape.startswith("processes"):
        yield Subject(
            name=SQLITE,
            command=(*command, "sqlite", *words),
            stores="two rows for each stage, SQLite, synchronous=FULL",
            note="runs nothing, one commit after the other",
        )
    yield Subject(name=OURS, command=(*command, "ours", *words), stores=DURABLE)
