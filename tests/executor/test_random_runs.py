"""Graphs and outcomes of all kinds: the rules of order hold, and every run ends as it should."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrate_tui.agents.contract import Process, Program
from orchestrate_tui.domain.conditions import Condition
from orchestrate_tui.domain.events import Event
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import OnFailure, Pipeline, Retry, Stage, Undo
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    ENDED_RUNS,
    ENDED_STAGES,
    RunStatus,
    StageStatus,
)
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.hub import Change, Hub
from orchestrate_tui.executor.scheduler import Scheduler
from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.history import History
from tests.executor.scenery import SCRIPT

NEVER = Condition(branch=())
ENDED_WELL = frozenset({StageStatus.SUCCEEDED, StageStatus.SKIPPED})


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline, and how the attempts of its stages end."""

    pipeline: Pipeline
    failures: dict[str, int]
    """How many attempts of a stage fail before one succeeds."""


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 8))
    names = [f"s{number}" for number in range(count)]
    stages = []
    for position, name in enumerate(names):
        above = names[:position]
        waits = draw(st.none() | st.lists(st.sampled_from(above), unique=True)) if above else ()
        on_failure = draw(st.sampled_from(OnFailure))
        targets = st.sampled_from([*above, None]) if above else st.none()
        stages.append(
            Stage(
                name=name,
                agent="script",
                task="true",
                depends_on=None if waits is None else tuple(waits),
                when=draw(st.sampled_from([None, None, None, NEVER])),
                on_failure=on_failure,
                rollback_to=draw(targets) if on_failure is OnFailure.ROLLBACK else None,
                retry=Retry(attempts=draw(st.integers(1, 2))),
                rollback=draw(st.sampled_from([None, Undo(task="undo")])),
            )
        )
    pipeline = Pipeline(
        name="random",
        stages=tuple(stages),
        agents=(SCRIPT,),
        max_parallel=draw(st.integers(1, 4)),
        fail_fast=draw(st.booleans()),
        parallel_rollback=draw(st.booleans()),
    )
    failures = {name: draw(st.sampled_from([0, 0, 0, 1, 2])) for name in names}
    return Plan(pipeline, failures)


# The scheduler alone


@given(plans(), st.randoms(use_true_random=False))
def test_the_scheduler_hands_out_every_stage_once_and_after_its_dependencies(
    plan: Plan, chance: random.Random
) -> None:
    graph = StageGraph.of(plan.pipeline.stages)
    scheduler = Scheduler(graph, plan.pipeline.max_parallel)
    ended: set[str] = set()
    started: list[str] = []
    running: list[str] = []
    while True:
        for name in freed(scheduler):
            assert set(graph.dependencies[name]) <= ended
            scheduler.make_ready(name)
        while (ready := scheduler.take_ready()) is not None:
            started.append(ready)
            running.append(ready)
        assert len(running) <= plan.pipeline.max_parallel
        if not running:
            break
        name = running.pop(chance.randrange(len(running)))
        ended.add(name)
        scheduler.free_place()
        scheduler.end_well((name,))
    assert sorted(started) == sorted(graph.names)


@given(plans(), st.integers(0, 8))
def test_a_closed_scheduler_hands_out_nothing(plan: Plan, before: int) -> None:
    scheduler = Scheduler(StageGraph.of(plan.pipeline.stages), 4)
    for name in list(freed(scheduler))[:before]:
        scheduler.make_ready(name)
    scheduler.close()
    assert scheduler.take_freed() is None
    assert scheduler.take_ready() is None


def freed(scheduler: Scheduler) -> Iterator[str]:
    while (name := scheduler.take_freed()) is not None:
        yield name


# Whole runs


class FakeLauncher:
    """Starts nothing; attempts end in an order that chance decides."""

    def __init__(self, plan: Plan, chance: random.Random) -> None:
        self._plan = plan
        self._chance = chance

    async def start(self, program: Program) -> Process:
        environment = program.environment
        if "ORCHESTRATE_ROLLBACK_ID" in environment:
            code = self._chance.choice([0, 0, 0, 1])
        else:
            failures = self._plan.failures[environment["ORCHESTRATE_STAGE"]]
            code = int(int(environment["ORCHESTRATE_ATTEMPT"]) <= failures)
        return FakeProcess(code, self._chance.randrange(4))

    def prepare(self) -> None:
        """Nothing to begin."""

    def close(self) -> None:
        """Nothing to let go of."""


class FakeProcess:
    """Ends with its code after so many turns of the event loop."""

    pid = 1
    ran_s = 0.0
    timed_out = False
    kept = ()

    def __init__(self, code: int, turns: int) -> None:
        self._code = code
        self._turns = turns

    def signal_tree(self, signal: int) -> None:  # noqa: ARG002  (every signal ends it)
        self._turns = 0

    def let_go(self) -> None:
        self._turns = 0

    def tree_lives(self) -> bool:
        return self._turns > 0

    async def wait(self) -> int:
        while self._turns > 0:
            await anyio.lowlevel.checkpoint()
            self._turns -= 1
        return self._code

    async def wait_tree(self) -> None:
        await self.wait()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with open_database(tmp_path_factory.mktemp("state") / "store.db") as opened:
        yield opened


class Meddling(Hub):
    """Calls something after so many commits."""

    def __init__(self, commits: int, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._left = commits
        self._meddle = meddle

    def publish(self, changes: Iterable[Change]) -> None:
        super().publish(changes)
        self._left -= 1
        if self._left == 0:
            self._meddle()


async def execute(
    database: Database, plan: Plan, chance: random.Random, cancel_after: int = 0
) -> Run:
    """Execute the plan; `cancel_after` so many commits the run is cancelled, 0 means never."""
    launcher = FakeLauncher(plan, chance)
    async with anyio.create_task_group() as tasks:

        async def cancel() -> None:
            with suppress(Refused):
                await executor.cancel(run_id)

        hub = Meddling(cancel_after, lambda: tasks.start_soon(cancel))
        async with PipelineExecutor(database, launcher=launcher, hub=hub) as executor:
            run_id = await executor.create_run(plan.pipeline)
            run = await executor.execute_run(run_id)
    return run


@settings(max_examples=200, deadline=None)
@given(plan=plans(), chance=st.randoms(use_true_random=False))
def test_every_run_ends_as_its_stages_say(
    database: Database, plan: Plan, chance: random.Random
) -> None:
    run = anyio.run(execute, database, plan, chance)
    history = History(database.path)
    check(plan, run, history)
    history.close()


@settings(max_examples=100, deadline=None)
@given(plan=plans(), chance=st.randoms(use_true_random=False), commits=st.integers(2, 12))
def test_a_run_that_is_cancelled_at_any_moment_ends(
    database: Database, plan: Plan, chance: random.Random, commits: int
) -> None:
    run = anyio.run(execute, database, plan, chance, commits)
    history = History(database.path)
    assert run.status in ENDED_RUNS
    check_that_all_has_ended(history, run.id)
    events = [one for one in history.events(run.id, limit=10_000) if one.kind == "stage"]
    check_order(plan.pipeline, events)
    check_attempts(plan, events)
    history.close()


def check(plan: Plan, run: Run, history: History) -> None:
    stages = {one.stage_name: one for one in history.stages(run.id)}
    definitions = {stage.name: stage for stage in plan.pipeline.stages}
    events = [one for one in history.events(run.id, limit=10_000) if one.kind == "stage"]
    check_that_all_has_ended(history, run.id)
    check_order(plan.pipeline, events)
    check_attempts(plan, events)
    failed = {
        event.stage_name
        for event in events
        if event.to_status == StageStatus.FAILED
        and definitions[event.stage_name or ""].on_failure is not OnFailure.CONTINUE
    }
    assert run.status is (RunStatus.FAILED if failed else RunStatus.SUCCEEDED)
    wanting = {name for name in failed if definitions[name or ""].rollback_target}
    assert {event.failed_stage_name for event in history.rollbacks(run.id)} == wanting
    if not failed:
        assert all(one.status in ENDED_WELL | {StageStatus.FAILED} for one in stages.values())


def check_that_all_has_ended(history: History, run_id: int) -> None:
    assert all(one.status in ENDED_STAGES for one in history.stages(run_id))
    assert all(one.status in ENDED_ROLLBACKS for one in history.rollbacks(run_id))


def check_order(pipeline: Pipeline, events: list[Event]) -> None:
    """No stage started before all that it depends on had ended well."""
    graph = StageGraph.of(pipeline.stages)
    definitions = {stage.name: stage for stage in pipeline.stages}
    ended: set[str] = set()
    for event in events:
        name = event.stage_name or ""
        if event.to_status == StageStatus.RUNNING:
            assert set(graph.dependencies[name]) <= ended
        may_fail = definitions[name].on_failure is OnFailure.CONTINUE
        if event.to_status in ENDED_WELL or (event.to_status == StageStatus.FAILED and may_fail):
            ended.add(name)


def check_attempts(plan: Plan, events: list[Event]) -> None:
    """Each attempt ran once, no more than may, and none after one that succeeded."""
    tried = Counter(
        (event.stage_name, event.attempt)
        for event in events
        if event.to_status == StageStatus.RUNNING
    )
    assert set(tried.values()) <= {1}
    for name, attempt in tried:
        stage = next(one for one in plan.pipeline.stages if one.name == name)
        assert (attempt or 0) <= min(stage.retry.attempts, plan.failures[stage.name] + 1)
