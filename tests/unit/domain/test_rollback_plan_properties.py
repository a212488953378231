"""What holds for the rollback plan of any pipeline, however its run went."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline, Stage, Undo
from orchestrate_tui.domain.planner import plan_rollback
from orchestrate_tui.domain.rollback import possible_targets, step_predecessors
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.domain.undo_order import undo_cycles

MIDNIGHT = datetime(2024, 5, 1, tzinfo=UTC)
STARTED = (
    StageStatus.RUNNING,
    StageStatus.RETRYING,
    StageStatus.SUCCEEDED,
    StageStatus.FAILED,
    StageStatus.CANCELLED,
    StageStatus.INTERRUPTED,
    StageStatus.ROLLED_BACK,
)
IDLE = (
    StageStatus.PENDING,
    StageStatus.WAITING_APPROVAL,
    StageStatus.REJECTED,
    StageStatus.SKIPPED,
)


@dataclass(frozen=True)
class Situation:
    """A pipeline, a run of it, and a request."""

    pipeline: Pipeline
    runs: dict[str, StageRun]
    failed: str
    target: str

    @property
    def graph(self) -> StageGraph:
        return StageGraph.of(self.pipeline.stages)

    def plan(self) -> RollbackPlan:
        return plan_rollback(
            self.pipeline, self.graph, self.runs, failed_stage=self.failed, target=self.target
        )

    def effects(self) -> set[str]:
        """The stages whose effects are there."""
        return {
            name
            for name, run in self.runs.items()
            if run.started_at and run.status is not StageStatus.ROLLED_BACK
        }

    def chained(self, name: str) -> tuple[str, ...]:
        one = self.pipeline.stage(name)
        return one.rollback.then if one and one.rollback else ()

    def scope(self) -> set[str]:
        """What has to be undone, as the specification defines it."""
        found = {self.target, self.failed}
        while True:
            more = found | set(self.graph.downstream(*found))
            for name in more & self.effects():
                more = more | set(self.chained(name))
            if more == found:
                return found & self.effects()
            found = more

    def goes_before(self) -> set[tuple[str, str]]:
        """Every pair of which the first has to be undone before the second."""
        names = self.graph.names
        pairs = {(one, other) for one in names for other in self.graph.dependencies[one]}
        pairs |= {(one, other) for one in self.scope() for other in self.chained(one)}
        for middle in names:
            left = {one for one, other in pairs if other == middle}
            right = {other for one, other in pairs if one == middle}
            pairs |= {(one, other) for one in left for other in right}
        return pairs


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Any order in the file; `depends_on` and `then` only lead back in one hidden order."""
    hidden = tuple("abcdefg"[: draw(st.integers(1, 7))])
    stages = {}
    for index, name in enumerate(hidden):
        earlier = st.lists(st.sampled_from(hidden[:index] or (name,)), max_size=3, unique=True)
        needs = tuple(draw(earlier)) if index else ()
        then = tuple(draw(earlier)) if index and draw(st.booleans()) else ()
        undo = st.sampled_from((None, Undo(task="u", then=then), Undo(task="u", then=then)))
        stages[name] = Stage(name=name, agent="a", task="t", depends_on=needs, rollback=draw(undo))
    order = draw(st.permutations(hidden))
    pipeline = Pipeline(
        name="p", stages=tuple(stages[name] for name in order), parallel_rollback=True
    )
    return Situation(pipeline, draw(runs_of(order)), draw(st.sampled_from(hidden)), order[0])


@st.composite
def runs_of(draw: st.DrawFn, order: list[str]) -> dict[str, StageRun]:
    found = {}
    for position, name in enumerate(order):
        status = draw(st.sampled_from(IDLE + STARTED))
        begun = MIDNIGHT + timedelta(minutes=draw(st.integers(0, 3)))
        found[name] = StageRun(
            run_id=1,
            stage_name=name,
            position=position,
            status=status,
            started_at=begun if status in STARTED else None,
            rolled_back_by=2 if status is StageStatus.ROLLED_BACK else None,
        )
    return found


def names_of(plan: RollbackPlan) -> list[str]:
    return [step.stage_name for step in plan.steps]


@given(situations())
def test_exactly_what_the_specification_names_is_in_scope(given_one: Situation) -> None:
    assert set(given_one.plan().scope) == given_one.scope()


@given(situations())
def test_only_what_started_and_was_not_undone_is_undone_and_only_once(
    given_one: Situation,
) -> None:
    undone = names_of(given_one.plan())
    assert set(undone) <= given_one.effects()
    assert len(undone) == len(set(undone))


@given(situations())
def test_every_stage_in_scope_is_undone_or_listed_with_its_reason(given_one: Situation) -> None:
    plan = given_one.plan()
    listed = {skip.stage_name for skip in plan.skipped if skip.reason == "nothing to undo"}
    assert set(names_of(plan)) | listed == set(plan.scope)
    assert not set(names_of(plan)) & listed


@given(situations())
def test_what_depends_on_a_stage_is_undone_before_it(given_one: Situation) -> None:
    pairs = given_one.goes_before()
    assert not any((later, one) in pairs for one, later in combinations(given_one.plan().scope, 2))


@given(situations())
def test_of_what_may_be_undone_next_the_latest_start_comes_first(given_one: Situation) -> None:
    pairs = given_one.goes_before()
    left = set(given_one.plan().scope)

    def start(name: str) -> tuple[datetime | None, int]:
        return given_one.runs[name].started_at, given_one.runs[name].position

    expected = []
    while left:
        free = [one for one in left if not any((other, one) in pairs for other in left)]
        expected.append(max(free, key=start))
        left.remove(expected[-1])
    assert list(given_one.plan().scope) == expected


@given(situations())
def test_the_order_of_the_rows_does_not_matter(given_one: Situation) -> None:
    turned = replace(given_one, runs=dict(reversed(given_one.runs.items())))
    assert turned.plan() == given_one.plan()


@given(situations(), st.integers(1, 9))
def test_statuses_and_times_leave_the_hash_alone(given_one: Situation, minutes: int) -> None:
    def later(run: StageRun) -> StageRun:
        if run.stage_name not in given_one.effects() or run.started_at is None:
            return run
        moved = run.started_at + timedelta(minutes=minutes * run.position)
        return replace(run, status=StageStatus.CANCELLED, started_at=moved)

    other = replace(given_one, runs={name: later(run) for name, run in given_one.runs.items()})
    assert other.plan().hash == given_one.plan().hash


@given(situations(), st.sampled_from("abcdefg"))
def test_another_scope_has_another_hash(given_one: Situation, name: str) -> None:
    if name not in given_one.runs:
        return
    gone = replace(given_one.runs[name], status=StageStatus.ROLLED_BACK, rolled_back_by=3)
    other = replace(given_one, runs={**given_one.runs, name: gone})
    same_scope = set(other.plan().scope) == set(given_one.plan().scope)
    assert (other.plan().hash == given_one.plan().hash) == same_scope


@given(situations())
def test_a_plan_is_refused_exactly_when_it_has_no_step_or_the_target_no_undo(
    given_one: Situation,
) -> None:
    plan = given_one.plan()
    target_stays = given_one.target in plan.scope and given_one.target not in names_of(plan)
    assert bool(plan.refusal) == (target_stays or not plan.steps)


@given(situations())
def test_steps_beside_each_other_wait_for_all_that_goes_before_and_nothing_else(
    given_one: Situation,
) -> None:
    plan = given_one.plan()
    before = step_predecessors(given_one.pipeline, given_one.graph, plan)
    waits_for: list[frozenset[int]] = []
    for direct in before:
        waits_for.append(direct.union(*(waits_for[position] for position in direct)))
    steps, pairs = names_of(plan), given_one.goes_before()
    for index, name in enumerate(steps):
        expected = {one for one, other in enumerate(steps) if (other, name) in pairs}
        assert waits_for[index] == expected


@given(situations())
def test_one_after_the_other_each_step_waits_for_the_one_before(given_one: Situation) -> None:
    pipeline = replace(given_one.pipeline, parallel_rollback=False)
    before = step_predecessors(pipeline, given_one.graph, given_one.plan())
    assert list(before) == [
        frozenset({index - 1} if index else ()) for index in range(len(given_one.plan().steps))
    ]


@given(situations())
def test_every_possible_target_is_in_the_scope_of_its_plan(given_one: Situation) -> None:
    for target in possible_targets(
        given_one.pipeline, given_one.graph, given_one.runs, given_one.failed
    ):
        plan = replace(given_one, target=target).plan()
        assert target in plan.scope
        assert plan.refusal in {"", f"Stage '{target}' has nothing to undo it"}


@given(situations())
def test_chains_that_lead_back_make_no_cycle(given_one: Situation) -> None:
    assert undo_cycles(given_one.pipeline, given_one.graph) == ()
