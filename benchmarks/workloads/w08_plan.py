"""The plan of a rollback over ten thousand stages, from the definition as it is in memory."""

from __future__ import annotations

import sys

from benchmarks.figures import FLOOR, OURS, Measurement, Options, Target
from benchmarks.turns import Subject, measured_in_turn

TITLE = "a rollback plan over 10,000 stages"
TARGETS = (Target(text="at most 50 ms", limit=0.05),)
SHORT = (
    Target(
        text="at most 8 times the processor time of graphlib's order",
        limit=8,
        against=(FLOOR,),
        of="cpu_s",
    ),
)
SHAPE = ("layers", "100", "100")


def measure(options: Options) -> list[Measurement]:
    command = (sys.executable, "-m", "benchmarks.planner")
    floor = Subject(
        name=FLOOR,
        command=(*command, "bare", *SHAPE),
        note="graphlib's topological order of the same graph, reversed",
    )
    ours = Subject(
        name=OURS,
        command=(*command, "ours", *SHAPE),
        note="graph, order, steps, skipped ones, warnings and hash",
    )
    found = measured_in_turn("W8", TITLE, [floor, ours], options.rounds, options.scratch)
    return list(found)
