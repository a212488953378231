"""Two hundred programs that do nothing, eight at a time, each in the care of the stage host."""

from __future__ import annotations

from benchmarks.engines import IN_CONSOLE, measure_graph
from benchmarks.figures import FLOOR, Measurement, Options, Target

TITLE = "200 x /bin/true, eight at a time, output captured"
TARGETS = (
    Target(text="at most 1.1 times the floor", limit=1.1, against=(FLOOR,)),
    Target(
        text="at most 1.1 times the floor in a console",
        limit=1.1,
        subject=IN_CONSOLE,
        against=(FLOOR,),
    ),
    Target(text="at most 60 MB", limit=60, of="peak_memory_mb"),
)
SHORT = ()


def measure(options: Options) -> list[Measurement]:
    return measure_graph("W4", TITLE, "processes 200 8", options, in_console=True)
