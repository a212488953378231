"""One stage, then a thousand at once, then one that waits for all of them."""

from __future__ import annotations

from benchmarks.engines import IN_CONSOLE, SQLITE, measure_graph
from benchmarks.figures import Measurement, Options, Target
from benchmarks.peers import DURABLE

TITLE = "one stage, then 1,000 at once, then one"
TARGETS = (
    Target(text="at most 0.1 s", limit=0.1),
    Target(text="at most 0.1 s in a console", limit=0.1, subject=IN_CONSOLE),
    Target(text="at least 8 times as fast as the best durable peer", limit=1 / 8, against=DURABLE),
    Target(text="at most 60 MB", limit=60, of="peak_memory_mb"),
)
SHORT = (
    Target(
        text="at most 6 times the processor time of SQLite alone",
        limit=6,
        against=(SQLITE,),
        of="cpu_s",
    ),
)


def measure(options: Options) -> list[Measurement]:
    shape = "fan_out 300" if options.short else "fan_out 1000"
    return measure_graph("W2", TITLE, shape, options, in_console=True)
