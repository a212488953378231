from __future__ import annotations

import pytest

from benchmarks.figures import FLOOR, OURS, Figure, GrowthTarget, Target
from benchmarks.growth import Curve, Point, points


def figure(subject: str, *samples: float, title: str = "work", memory: float = 10) -> Figure:
    return Figure(
        workload="W",
        title=title,
        subject=subject,
        samples=samples,
        cpu_s=tuple(one / 2 for one in samples),
        peak_memory_mb=memory,
    )


def curve(costs: dict[int, float]) -> Curve:
    taken = tuple(Point(size=size, samples=(cost,)) for size, cost in costs.items())
    return Curve(workload="W", title="growth", of="stages", points=taken)


FOUND = [figure(FLOOR, 1, 2, 9), figure(OURS, 3, 5, 4, memory=50), figure("DBOS", 16, 16, 16)]


@pytest.mark.parametrize(
    ("target", "measured", "is_met"),
    [
        (Target(text="-", limit=4), "4 s", True),
        (Target(text="-", limit=3.9), "4 s", False),
        (Target(text="-", limit=2, against=(FLOOR,)), "2.00 times", True),
        (Target(text="-", limit=1.9, against=(FLOOR,)), "2.00 times", False),
        (Target(text="-", limit=1 / 4, against=("DBOS",)), "4.0 times as fast", True),
        (Target(text="-", limit=1 / 5, against=("DBOS",)), "4.0 times as fast", False),
        (Target(text="-", limit=1.9, against=("DBOS", FLOOR)), "2.00 times", False),
        (Target(text="-", limit=2, of="cpu_s"), "2 s of CPU", True),
        (Target(text="-", limit=40, of="peak_memory_mb"), "50 MB", False),
        (Target(text="-", limit=40, title="other"), "", None),
        (Target(text="-", limit=40, against=("huey",)), "", None),
    ],
)
def test_a_target_is_held_against_the_median(
    target: Target, measured: str, *, is_met: bool | None
) -> None:
    assert target.met(FOUND) is is_met
    assert target.measured(FOUND) == measured


def test_what_could_not_be_measured_is_neither_kept_nor_missed() -> None:
    found = [figure(OURS, 1), figure("DBOS")]
    assert Target(text="-", limit=1, against=("DBOS",)).met(found) is None


@pytest.mark.parametrize(
    ("costs", "exponent"),
    [
        ({10: 1.0, 100: 10.0, 1000: 100.0}, 1.0),
        ({10: 1.0, 100: 100.0, 1000: 10_000.0}, 2.0),
        ({10: 5.0, 100: 5.0, 1000: 5.0}, 0.0),
    ],
)
def test_the_exponent_tells_how_cost_grows(costs: dict[int, float], exponent: float) -> None:
    found = [curve(costs)]
    assert found[0].exponent == pytest.approx(exponent)
    assert GrowthTarget(text="-", limit=exponent + 0.1).met(found) is True
    assert GrowthTarget(text="-", limit=exponent - 0.1).met(found) is False


def test_all_sizes_are_measured_in_each_round() -> None:
    asked = []

    def cost(size: int) -> float:
        asked.append(size)
        return len(asked)

    found = points((1, 10), 2, cost)
    assert asked == [1, 10, 1, 10]
    assert [point.samples for point in found] == [(1, 3), (2, 4)]
