"""Twenty layers of fifty stages that do nothing, three random parents each."""

from __future__ import annotations

from benchmarks.engines import SQLITE, measure_graph
from benchmarks.figures import Measurement, Options, Target
from benchmarks.peers import DURABLE

TITLE = "20 layers of 50 stages, three random parents each"
TARGETS = (
    Target(text="at most 0.1 s", limit=0.1),
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
    shape = "layers 10 30" if options.short else "layers 20 50"
    return measure_graph("W3", TITLE, shape, options)
