"""Twenty layers of fifty stages that do nothing, three random parents each."""

from __future__ import annotations

from benchmarks.engines import measure_graph
from benchmarks.figures import Measurement, Options
from benchmarks.workloads import w02_fan_out

TITLE = "20 layers of 50 stages, three random parents each"
TARGETS, SHORT = w02_fan_out.TARGETS, w02_fan_out.SHORT


def measure(options: Options) -> list[Measurement]:
    shape = "layers 10 30" if options.short else "layers 20 50"
    return measure_graph("W3", TITLE, shape, options, in_console=True)
