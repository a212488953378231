"""What is said of a rehearsal: of what it was, and how it went."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrate_tui.domain.rehearsal import Rehearsal, RehearsalReport, RehearsedStep


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (RehearsalReport(), ""),
        (RehearsalReport(cascade=False), "that stage alone"),
        (RehearsalReport(components=("api", "web"), release=7), "only api, web, back to release 7"),
        (RehearsalReport(definition="0f3a"), "as another file says"),
    ],
)
def test_a_rehearsal_says_of_what_it_was_not_the_whole(report: RehearsalReport, told: str) -> None:
    assert report.narrowing == told


def test_every_problem_of_a_step_is_told_with_the_part_that_has_it() -> None:
    steps = (
        RehearsedStep(stage_name="warm"),
        RehearsedStep(stage_name="deploy", component="api", problems=("no agent", "no snapshot")),
    )
    report = RehearsalReport(problems=("the run still runs",), steps=steps)
    assert report.all_problems == (
        "the run still runs",
        "deploy[api]: no agent",
        "deploy[api]: no snapshot",
    )


@pytest.mark.parametrize(
    ("problems", "well", "outcome"),
    [(0, True, "all well"), (1, False, "1 problem"), (2, False, "2 problems")],
)
def test_a_rehearsal_is_well_when_nothing_was_missing(
    problems: int, outcome: str, *, well: bool
) -> None:
    at = datetime(2026, 5, 4, 12, tzinfo=UTC)
    found = Rehearsal(
        id=1, run_id=2, actor="kim", started_at=at, completed_at=at, problems=problems
    )
    assert (found.is_well, found.outcome) == (well, outcome)
