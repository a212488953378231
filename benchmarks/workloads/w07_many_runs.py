"""Twenty runs at once, each a chain of fifty stages."""

from __future__ import annotations

from benchmarks.engines import measure_graph
from benchmarks.figures import Measurement, Options, Target

TITLE = "20 runs at once, each a chain of 50 stages that do nothing"
TARGETS = (Target(text="at most 60 MB", limit=60, of="peak_memory_mb"),)
SHORT = ()


def measure(options: Options) -> list[Measurement]:
    return measure_graph("W7", TITLE, "chain 50", options, runs=20)
