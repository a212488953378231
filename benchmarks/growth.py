"""How the cost of something grows with its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from statistics import linear_regression, median


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The cost at one size, a sample for each round."""

    size: int
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What one subject costs at growing sizes.

    `of` is what the size counts, such as "stages + edges"; `unit` that of the cost.
    """

    workload: str
    title: str
    of: str
    points: tuple[Point, ...]
    subject: str = "orchestrate-tui"
    unit: str = "s"
    note: str = ""

    @property
    def exponent(self) -> float:
        """The slope of the line through the medians on paper with two logarithmic axes.

        0 means that the size does not matter, 1 that the cost doubles with it.
        """
        sizes = [log(point.size) for point in self.points]
        costs = [log(point.median) for point in self.points]
        return linear_regression(sizes, costs).slope


def points(sizes: Sequence[int], rounds: int, cost: Callable[[int], float]) -> tuple[Point, ...]:
    """The costs at all sizes, taken in turn, so that a busy moment hits them all alike."""
    taken = [[cost(size) for size in sizes] for _ in range(rounds)]
    columns = zip(*taken, strict=True)
    return tuple(
        Point(size=size, samples=column) for size, column in zip(sizes, columns, strict=True)
    )
