"""Plans the rollback of a graph once, with one of two subjects, and says what that took.

    python -m benchmarks.planner ours|bare|asked SHAPE SIZE...

The rollback goes back to the first stage that others wait for, from the last one, after a run in
which everything succeeded. `bare` only puts the graph into reverse topological order; `asked` is
what an operator waits for who asks an executor: the same, with all that is read, checked and told.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from pathlib import Path

import anyio

from benchmarks.engine import pipeline
from benchmarks.engine import timed as timed_in_loop
from benchmarks.shapes import Shape, chain
from benchmarks.subject import read_work, timed
from orchestrate_tui import PipelineExecutor
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline, Undo
from orchestrate_tui.domain.planner import plan_rollback
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def undoable(work: Shape) -> Pipeline:
    """The pipeline of a graph of which every stage can be undone."""
    made = pipeline(work)
    undo = Undo(task="take back")
    stages = tuple(replace(stage, rollback=undo) for stage in made.stages)
    return replace(made, stages=stages)


def stages_of_run(work: Shape) -> dict[str, StageRun]:
    """The stages after a run that succeeded, a second after each other."""
    return {
        name: StageRun(
            run_id=1,
            stage_name=name,
            position=position,
            status=StageStatus.SUCCEEDED,
            attempt=1,
            started_at=BEGAN + timedelta(seconds=position),
            completed_at=BEGAN + timedelta(seconds=position + 1),
        )
        for position, name in enumerate(work.dependencies)
    }


def ours(work: Shape) -> Callable[[], object]:
    defined, stages = undoable(work), stages_of_run(work)
    first, last = next(iter(work.dependencies)), list(work.dependencies)[-1]

    def plan() -> object:
        graph = StageGraph.of(defined.stages)
        return plan_rollback(defined, graph, stages, failed_stage=last, target=first)

    return plan


def bare(work: Shape) -> Callable[[], object]:
    return lambda: list(TopologicalSorter(work.dependencies).static_order())[::-1]


async def asked(work: Shape) -> None:
    defined, last = undoable(work), list(work.dependencies)[-1]
    before = StageGraph.of(defined.stages).upstream(last)
    first = next(name for name in work.dependencies if name in before)
    async with PipelineExecutor(Path("bench.db")) as executor:
        run_id = await executor.create_run(defined)
        await executor.execute_run(run_id)

        async def plan() -> None:
            found = await executor.plan_rollback(run_id, last, first)
            assert found.steps, found.refusal

        await timed_in_loop(plan)


def main() -> None:
    name, *words = sys.argv[1:]
    work, _ = read_work(words)
    if name == "asked":
        anyio.run(asked, work)
        return
    subject = {"ours": ours, "bare": bare}[name]
    subject(chain(50))()
    timed(subject(work))


if __name__ == "__main__":
    main()
