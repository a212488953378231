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
    "W5": "w05_start",
    "W6": "w06_large",
    "W7": "w07_many_runs",
    "W8": "w08_plan",
    "W9": "w09_first_frame",
    "W10": "w10_keys",
    "W11": "w11_scrolling",
    "W12": "w12_layout",
    "W13": "w13_log",
    "masking": "s01_masking",
    "snapshots": "s02_snapshots",
    "console-cpu": "c01_console_cpu",
    "growth-stages": "g01_stages",
    "growth-history": "g02_history",
}


def workload(key: str) -> Workload:
    """The workload of that key. Raises KeyError."""
    return cast("Workload", import_module(f"{__name__}.{MODULES[key]}"))
