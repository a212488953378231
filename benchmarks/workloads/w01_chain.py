"""A thousand stages that do nothing, each waiting for the one before it."""

from __future__ import annotations

from benchmarks.engines import IN_CONSOLE, SQLITE, measure_graph
from benchmarks.figures import Measurement, Options, Target

TITLE = "chain of 1,000 stages that do nothing"
TARGETS = (
    Target(text="at most 0.6 s", limit=0.6),
    Target(text="at most 0.6 s in a console", limit=0.6, subject=IN_CONSOLE),
    Target(text="at least 3.5 times as fast as DBOS", limit=1 / 3.5, against=("DBOS",)),
    Target(text="at most 60 MB", limit=60, of="peak_memory_mb"),
)
SHORT = (
    Target(
        text="at most 12 times the processor time of SQLite alone",
        limit=12,
        against=(SQLITE,),
        of="cpu_s",
    ),
)


def measure(options: Options) -> list[Measurement]:
    shape = "chain 300" if options.short else "chain 1000"
    return measure_graph("W1", TITLE, shape, options, in_console=True)
