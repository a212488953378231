"""Ten thousand stages in a hundred layers."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.engines import measure_graph
from benchmarks.figures import Measurement, Options, Target

TITLE = "100 layers of 100 stages, three random parents each"
TARGETS = (
    Target(text="at most 0.5 s", limit=0.5),
    Target(text="at most 90 MB", limit=90, of="peak_memory_mb"),
)
SHORT = ()
PEERS = ("dbos", "huey", "doit")
"""The others have shown with a thousand stages that they would take too long."""


def measure(options: Options) -> list[Measurement]:
    peers = tuple(one for one in options.peers if one in PEERS)
    return measure_graph("W6", TITLE, "layers 100 100", replace(options, peers=peers))
