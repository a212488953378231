"""How the executor and the planner grow with the stages and edges of a graph."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import GrowthTarget, Measurement, Options
from benchmarks.growth import Curve, Point, points
from benchmarks.shapes import shape
from benchmarks.turns import run

TITLE = "growth over stages"
TARGETS = (GrowthTarget(text="in proportion to stages + edges (exponent at most 1.1)", limit=1.1),)
SHORT = (GrowthTarget(text="exponent at most 1.4", limit=1.4),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One kind of graph at several sizes, which are put into `words`, for a subject."""

    title: str
    module: str
    words: str
    sizes: Sequence[int]
    short: Sequence[int]
    subject: str = "ours"


SERIES = (
    Series(
        title="executor, a chain",
        module="benchmarks.engine",
        words="chain {}",
        sizes=(500, 1000, 2000, 4000, 8000),
        short=(200, 1600),
    ),
    Series(
        title="executor, layers of 50 stages",
        module="benchmarks.engine",
        words="layers {} 50",
        sizes=(20, 40, 80, 160, 320),
        short=(10, 80),
    ),
    Series(
        title="planner, layers of 50 stages",
        module="benchmarks.planner",
        words="layers {} 50",
        sizes=(20, 40, 80, 160, 320, 640),
        short=(20, 160),
    ),
    Series(
        title="a rollback planned as an operator asks for it, layers of 50 stages",
        module="benchmarks.planner",
        words="layers {} 50",
        sizes=(20, 40, 80, 160, 320),
        short=(10, 80),
        subject="asked",
    ),
)


def measure(options: Options) -> list[Measurement]:
    return [
        Curve(
            workload="growth-stages",
            title=series.title,
            of="stages + edges",
            points=_points(series, options),
        )
        for series in SERIES
    ]


def _points(series: Series, options: Options) -> tuple[Point, ...]:
    taken = points(
        series.short if options.short else series.sizes,
        options.rounds,
        lambda size: _cost_s(series, size, options),
    )
    return tuple(
        Point(size=_size(series.words.format(point.size)), samples=point.samples) for point in taken
    )


def _cost_s(series: Series, size: int, options: Options) -> float:
    """What the work takes; in the short form of the processor, which others cannot slow down."""
    folder = Path(tempfile.mkdtemp(dir=options.scratch))
    words = series.words.format(size).split()
    reading = run((sys.executable, "-m", series.module, series.subject, *words), folder)
    return reading.cpu_s if options.short else reading.seconds


def _size(words: str) -> int:
    graph = shape(words.split())
    return len(graph.dependencies) + graph.edges
