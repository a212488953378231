"""Pipelines that keep a console busy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

ATTEMPTS = 100
"""The most that a pipeline may ask for."""


def retrying(folder: Path, stages: int, cycle_s: float) -> Path:
    """Stages side by side that fail `ATTEMPTS` times, two events for each in every cycle."""
    half = cycle_s / 2
    agents = {"failing": {"simulated": {"duration": half, "fail": True}}}
    retry = {"attempts": ATTEMPTS, "delay": half}
    return _file(folder, "busy", agents, [
        {"name": f"s{number:03}", "agent": "failing", "task": "try", "depends_on": [],
         "retry": retry} for number in range(stages)
    ])  # fmt: skip


def sleeping(folder: Path, stages: int, seconds: int) -> Path:
    """Stages side by side that each are a process that sleeps."""
    agents = {"sleeper": {"command": ["sleep", str(seconds)]}}
    return _file(folder, "sleepers", agents, [
        {"name": f"s{number:03}", "agent": "sleeper", "task": "sleep", "depends_on": []}
        for number in range(stages)
    ])  # fmt: skip


def _file(
    folder: Path, name: str, agents: Mapping[str, object], stages: list[dict[str, object]]
) -> Path:
    path = folder / f"{name}.yaml"
    pipeline = {"name": name, "max_parallel": len(stages), "agents": agents, "stages": stages}
    path.write_text(json.dumps(pipeline))  # which is YAML too
    return path
