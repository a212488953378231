"""Pipelines in the established format load unchanged and start their stages in the right order.

The oracle reads the YAML by itself and knows the rules of ordering from their description only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.desk import Desk, Job

PIPELINES = sorted((Path(__file__).parent / "pipelines").glob("*.yaml"))
CIRCUMSTANCES: dict[str, tuple[str, ...]] = {
    "conditional": ("--branch", "feature/login", "--label", "urgent", "--changed", "docs/a.md"),
    "monorepo": ("--changed", "services/api/main.py", "--changed", "web/index.html"),
}
SKIPPED = {
    "conditional": {"deploy-main", "migrate-database", "nightly-only"},
    "monorepo": {"build-worker", "test-worker"},
}

Stages = list[dict[str, Any]]


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def groups(stages: Stages) -> Iterator[list[str]]:
    """The `parallel_with` groups, members in file order, by joining sets until nothing joins."""
    order = [stage["name"] for stage in stages]
    joined = {name: {name} for name in order}
    for stage in stages:
        for partner in listed(stage.get("parallel_with")):
            union = joined[stage["name"]] | joined[partner]
            joined.update(dict.fromkeys(union, union))
    seen: set[str] = set()
    for name in order:
        if name not in seen and len(joined[name]) > 1:
            seen |= joined[name]
            yield [member for member in order if member in joined[name]]


def prerequisites(stages: Stages) -> dict[str, set[str]]:
    """For each stage the stages that must have ended before it starts."""
    order = [stage["name"] for stage in stages]
    own = {}
    for position, stage in enumerate(stages):
        written = stage.get("depends_on")
        own[stage["name"]] = set(order[:position] if written is None else listed(written))
    for group in groups(stages):
        for member in group[1:]:
            beside = stages[order.index(member)].get("depends_on")
            own[member] = own[group[0]] | set(listed(beside))
    return own


def test_there_is_a_baker_s_dozen_of_them() -> None:
    assert len(PIPELINES) == 13


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: file.stem)
def test_it_runs_simulated_in_the_prescribed_order(desk: Desk, file: Path) -> None:
    validated = desk.do("validate", file)
    assert validated.code == 0
    assert all(": warning: " in line for line in validated.err.splitlines())
    stages: Stages = yaml.safe_load(file.read_text())["stages"]
    job = desk.start("run", file, "--simulate", "--json", *CIRCUMSTANCES.get(file.stem, ()))
    for _ in filter(is_gated, stages):
        approve_next(desk, job, stages)
    result = job.end()
    assert result.code == 0
    done = {stage["stage_name"]: stage for stage in result.json()["stages"]}
    skipped = {name for name, stage in done.items() if stage["status"] == "skipped"}
    assert skipped == SKIPPED.get(file.stem, set())
    assert_in_order(prerequisites(stages), done)


def approve_next(desk: Desk, job: Job, stages: Stages) -> None:
    """Give the stage that asks next every approval that it needs."""
    line = job.err_line()
    while "waits for an approval" not in line:
        line = job.err_line()
    name = line.split("'")[1]
    (stage,) = (stage for stage in stages if stage["name"] == name)
    for _ in stage["approvers"]:
        assert desk.do("approve", 1, name).code == 0


def is_gated(stage: dict[str, Any]) -> bool:
    return bool(stage.get("requires_approval"))


def assert_in_order(required: dict[str, set[str]], done: dict[str, dict[str, Any]]) -> None:
    """Every stage started after its prerequisites ended, and not a stage is missing."""
    assert required.keys() == done.keys()
    for name, before in required.items():
        began = done[name]["started_at"] or done[name]["completed_at"]
        late = [other for other in before if done[other]["completed_at"] > began]
        assert late == [], f"{name} did not wait for {late}"
