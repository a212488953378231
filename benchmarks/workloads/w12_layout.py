"""Laying stage graphs out, and how long the console waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from textual.app import App, ComposeResult

from benchmarks.figures import OURS, Figure, GrowthTarget, Limit, Measurement, Options, Target
from benchmarks.growth import Curve, Point, points
from benchmarks.shapes import layers
from orchestrate_tui.console.diagram.layout import COMPACT, lay_out
from orchestrate_tui.console.widgets.stage_graph import StageGraphView
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.run import StageRun

TITLE = "layout of stage graphs"
SIZES = {8: (4, 2), 100: (10, 10), 1_000: (20, 50), 10_000: (100, 100)}
HELD_UP = "longest that the event loop waits while 10,000 stages are laid out"
TARGETS: Sequence[Limit] = (
    Target(text="1,000 stages at most 150 ms", limit=150, title="1,000 stages"),
    Target(text="10,000 stages at most 2 s", limit=2_000, title="10,000 stages"),
    Target(text="not on the event loop, which waits at most 100 ms", limit=100, title=HELD_UP),
)
SHORT: Sequence[Limit] = (
    GrowthTarget(text="grows at most with the power of 1.8 of stages + edges", limit=1.8),
)
_LABEL_CELLS = 12


def measure(options: Options) -> list[Measurement]:
    sizes = [size for size in SIZES if not options.short or size <= 1_000]
    graphs = {size: StageGraph.of(_pipeline(size).stages) for size in sizes}
    taken = points(sizes, options.rounds, lambda size: _lay_out_ms(graphs[size]))
    found: list[Measurement] = [
        Figure(workload="W12", title=f"{one.size:,} stages", subject=OURS, unit="ms",
               samples=one.samples)
        for one in taken
    ]  # fmt: skip
    if not options.short:
        held_up = tuple(asyncio.run(_held_up_ms()) for _ in range(options.rounds))
        found.append(
            Figure(workload="W12", title=HELD_UP, subject=OURS, unit="ms", samples=held_up)
        )
    return [*found, _curve(taken, graphs)]


def _pipeline(size: int) -> Pipeline:
    depth, width = SIZES[size]
    stages = tuple(
        Stage(name=name, agent="nothing", task="work", depends_on=parents)
        for name, parents in layers(depth, width).dependencies.items()
    )
    return Pipeline(name=f"{size} stages", stages=stages)


def _lay_out_ms(graph: StageGraph) -> float:
    began = time.perf_counter()
    lay_out(graph, dict.fromkeys(graph.names, _LABEL_CELLS), COMPACT)
    return (time.perf_counter() - began) * 1000


def _curve(taken: Sequence[Point], graphs: dict[int, StageGraph]) -> Curve:
    edges = {size: sum(map(len, graph.dependencies.values())) for size, graph in graphs.items()}
    grown = tuple(Point(size=one.size + edges[one.size], samples=one.samples) for one in taken)
    return Curve(workload="W12", title=TITLE, of="stages + edges", points=grown[1:], unit="ms")


class _Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield StageGraphView()


async def _held_up_ms() -> float:
    """The longest time between two turns of the event loop until the graph is drawn."""
    pipeline = _pipeline(10_000)
    stages = [
        StageRun(run_id=1, stage_name=stage.name, position=position)
        for position, stage in enumerate(pipeline.stages)
    ]
    async with _Shown().run_test(size=(160, 50)) as pilot:
        graph = pilot.app.query_one(StageGraphView)
        longest, before = 0.0, time.perf_counter()
        graph.show(pipeline, stages, stages[0].stage_name)
        while not graph.virtual_size.width:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        await asyncio.sleep(0)
    return max(longest, time.perf_counter() - before) * 1000
