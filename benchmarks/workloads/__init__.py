"""The workloads, one module each, in the order in which they are measured and told."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from benchmarks.figures import Workload

MODULES = {
    "W1": "w01_chain",
    "W2": "w02_fan_out",
    "W3": "w03_layers",
    "W4": "w04_processes",
}


def workload(key: str) -> Workload:
    """The workload of that key. Raises KeyError."""
    return cast("Workload", import_module(f"{__name__}.{MODULES[key]}"))
