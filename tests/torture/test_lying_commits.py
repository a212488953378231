"""Commits that report an error, kept or not: what is shown is true, and nothing is done twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.torture.conftest import Amount, Figure
from tests.torture.killing import COURSES, Course, Grave, Nursery, doubled, survive
from tests.torture.mortal import Job


def commits(grave: Grave) -> list[str]:
    """The points before and after each commit of the executor."""
    points = [one for one in grave.points() if one.startswith(("before ", "after "))]
    return [one for one in points if not one.endswith((" parts", " a command"))]


@pytest.mark.attack("lying commits")
@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
def test_a_commit_that_reports_an_error_changes_nothing_about_the_end(
    course: Course,
    nursery: Nursery,
    rng: random.Random,
    amount: Amount,
    figure: Figure,
    homes: Iterator[Path],
) -> None:
    points = commits(survive(nursery, next(homes), course, ()))
    errors = amount(short=6, long=300)
    for point in islice(cycle(rng.sample(points, len(points))), errors):
        survive(nursery, next(homes), course, [{"point": point, "lies": True}])
    figure("errors", f"{errors}, at {len(points)} named points")


@pytest.mark.control("lying commits")
@pytest.mark.parametrize("stage", ["build", "deploy", "warm"])
def test_who_believes_the_error_and_begins_again_does_it_twice(
    stage: str, nursery: Nursery, tmp_path: Path
) -> None:
    course = COURSES[0]
    course.write(tmp_path)
    point = f"after stage {stage} running succeeded 1"
    for _ in range(2):
        nursery.bear(Job(home=str(tmp_path), commands=course.commands, point=point, lies=True))
    assert any("began 2 times" in what for what in doubled(Grave(tmp_path)))
