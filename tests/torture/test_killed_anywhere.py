"""Executors are killed at every named point; nothing is lost, and nothing is done twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles

import pytest

from tests.torture.conftest import Amount, Figure
from tests.torture.killing import (
    COURSES,
    KILLED,
    RESUME,
    Course,
    Grave,
    Nursery,
    doubled,
    killed_at,
    lost,
    recovery_s,
    survive,
)
from tests.torture.mortal import Job

KILLS_AGAIN = 0.4
LONGEST_RECOVERY_S, LONGEST_BESIDE_OTHERS_S = 1, 20
"""Promised, and where the rest of the tests keep the machine busy."""


def deaths(rng: random.Random, points: list[str], count: int) -> Iterator[list[str]]:
    """So many lists of points to die at: each is the first of some, others follow by chance."""
    shuffled = rng.sample(points, len(points))
    for point in islice(cycle(shuffled), count):
        again = rng.choices(points, k=2)
        yield [point, *(other for other in again if rng.random() < KILLS_AGAIN)]


@pytest.mark.attack("killed anywhere")
@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
def test_killed_anywhere_a_run_goes_on_as_if_nobody_had_died(
    course: Course,
    nursery: Nursery,
    rng: random.Random,
    amount: Amount,
    figure: Figure,
    homes: Iterator[Path],
) -> None:
    points = survive(nursery, next(homes), course, ()).points()
    kills, recoveries = 0, list[float]()
    for died_at in deaths(rng, points, amount(short=12, long=520)):
        grave = survive(nursery, next(homes), course, killed_at(died_at))
        kills += len(grave.noted("killed"))
        recoveries += recovery_s(grave)
    figure("kills", f"{kills}, at {len(points)} named points")
    *_, nearly_all = quantiles(recoveries, n=20)
    figure("recovery", f"{median(recoveries):.3f} s, the slowest {max(recoveries):.3f} s")
    limit_s = amount(short=LONGEST_BESIDE_OTHERS_S, long=LONGEST_RECOVERY_S)
    assert nearly_all < limit_s, "a single one may have waited for a busy machine"


@pytest.mark.control("killed anywhere")
@pytest.mark.parametrize("stage", ["build 1", "deploy 1", "smoke 1"])
def test_killed_before_a_start_is_safely_recorded_a_stage_is_done_twice(
    stage: str, nursery: Nursery, tmp_path: Path
) -> None:
    course = COURSES[0]
    course.write(tmp_path)
    grave = Grave(tmp_path)
    died = Job(home=str(tmp_path), commands=course.commands, point=f"ended {stage}", is_late=True)
    assert nursery.bear(died) == KILLED
    assert lost(grave) > 0
    assert any("is not recorded" in what for what in doubled(grave))
    nursery.bear(Job(home=str(tmp_path), commands=(RESUME,)))
    assert any("began 2 times" in what for what in doubled(grave))
