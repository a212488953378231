"""What a rollback undoes, in which order, and what stands in its way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import (
    ROLLBACK_AGENT,
    Agent,
    AgentKind,
    Pipeline,
    Snapshot,
    Stage,
    Undo,
)
from orchestrate_tui.domain.planner import plan_rollback
from orchestrate_tui.domain.release import NO_EARLIER_RELEASE
from orchestrate_tui.domain.rollback import (
    IRREVERSIBLE,
    NOTHING_TO_UNDO,
    is_undone_as_target,
    narrowed,
    parts_before,
    possible_targets,
    step_predecessors,
)
from orchestrate_tui.domain.rollback_plan import PlanSkip, PlanStep, RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.domain.undo_order import undo_cycles

MORNING = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
UNDONE = StageStatus.ROLLED_BACK


def stage(
    name: str,
    *needs: str,
    then: tuple[str, ...] = (),
    irreversible: bool = False,
    agent: str | None = None,
    task: str | None = None,
) -> Stage:
    """A stage with an undo; it waits for `needs`, and for nothing without them."""
    undo = Undo(
        task=f"undo {name}" if task is None else task,
        agent=agent,
        then=then,
        irreversible=irreversible,
    )
    return Stage(name=name, agent="deployer", task="do", depends_on=needs, rollback=undo)


def bare(name: str, *needs: str) -> Stage:
    """A stage that nothing undoes."""
    return Stage(name=name, agent="deployer", task="do", depends_on=needs)


def pipeline(*stages: Stage, rollback_agent: bool = False) -> Pipeline:
    names = ("deployer", ROLLBACK_AGENT) if rollback_agent else ("deployer",)
    agents = tuple(Agent(name=name, kind=AgentKind.SHELL, shell="true") for name in names)
    return Pipeline(name="p", stages=stages, agents=agents)


def stage_runs(
    of: Pipeline,
    idle: Collection[str] = (),
    status: Mapping[str, StageStatus] | None = None,
    minute: Mapping[str, int] | None = None,
) -> dict[str, StageRun]:
    """Every stage as it stands: succeeded, begun one minute after the one above it.

    Stages in `idle` did not start; `status` and `minute` say what is otherwise.
    """
    found = {}
    for position, one in enumerate(of.stages):
        begun = MORNING + timedelta(minutes=(minute or {}).get(one.name, position))
        is_idle = one.name in idle
        default = StageStatus.SKIPPED if is_idle else StageStatus.SUCCEEDED
        state = (status or {}).get(one.name, default)
        found[one.name] = StageRun(
            run_id=1,
            stage_name=one.name,
            position=position,
            status=state,
            started_at=None if is_idle else begun,
            rolled_back_by=4 if state is UNDONE else None,
        )
    return found


def plan(
    of: Pipeline,
    failed: str,
    to: str | None = None,
    *,
    idle: Collection[str] = (),
    status: Mapping[str, StageStatus] | None = None,
    minute: Mapping[str, int] | None = None,
    simulated: bool = False,
) -> RollbackPlan:
    runs = stage_runs(of, idle, status, minute)
    graph = StageGraph.of(of.stages)
    return plan_rollback(of, graph, runs, failed_stage=failed, target=to, simulated=simulated)


def undone(of: RollbackPlan) -> list[str]:
    return [step.stage_name for step in of.steps]


def skipped(of: RollbackPlan) -> dict[str, str]:
    return {skip.stage_name: skip.reason for skip in of.skipped}


CHAIN = pipeline(stage("build"), stage("deploy", "build"), stage("smoke", "deploy"))
DIAMOND = pipeline(
    stage("build"),
    stage("api", "build"),
    stage("web", "build"),
    stage("smoke", "api", "web"),
)


class TestScope:
    def test_the_target_and_everything_downstream_is_undone(self) -> None:
        assert undone(plan(CHAIN, "smoke", "deploy")) == ["smoke", "deploy"]

    def test_what_stands_above_the_target_is_left_alone(self) -> None:
        assert "build" not in plan(CHAIN, "smoke", "deploy").scope

    def test_downstream_of_the_target_counts_not_only_the_way_to_the_failed_stage(self) -> None:
        assert undone(plan(DIAMOND, "api", "build")) == ["smoke", "web", "api", "build"]

    def test_a_branch_beside_the_target_is_left_alone(self) -> None:
        assert undone(plan(DIAMOND, "smoke", "api")) == ["smoke", "api"]

    def test_without_a_target_the_failed_stage_undoes_itself(self) -> None:
        found = plan(CHAIN, "deploy")
        assert (found.failed_stage, found.target) == ("deploy", "deploy")
        assert undone(found) == ["smoke", "deploy"]

    def test_the_last_stage_can_undo_only_itself(self) -> None:
        assert undone(plan(CHAIN, "smoke")) == ["smoke"]

    def test_what_did_not_start_is_not_undone(self) -> None:
        assert undone(plan(DIAMOND, "api", "build", idle={"web", "smoke"})) == ["api", "build"]

    @pytest.mark.parametrize(
        "state",
        [
            StageStatus.SUCCEEDED,
            StageStatus.FAILED,
            StageStatus.CANCELLED,
            StageStatus.INTERRUPTED,
            StageStatus.RUNNING,
            StageStatus.RETRYING,
        ],
    )
    def test_whatever_started_is_undone_however_it_ended(self, state: StageStatus) -> None:
        assert undone(plan(CHAIN, "smoke", "deploy", status={"deploy": state})) == [
            "smoke",
            "deploy",
        ]

    @pytest.mark.parametrize(
        "state",
        [
            StageStatus.PENDING,
            StageStatus.WAITING_APPROVAL,
            StageStatus.REJECTED,
            StageStatus.SKIPPED,
        ],
    )
    def test_whatever_did_not_start_is_not_undone_however_it_ended(
        self, state: StageStatus
    ) -> None:
        found = plan(CHAIN, "smoke", "deploy", idle={"smoke"}, status={"smoke": state})
        assert found.scope == ("deploy",)

    def test_what_was_undone_before_is_not_undone_again(self) -> None:
        assert undone(plan(CHAIN, "smoke", "deploy", status={"smoke": UNDONE})) == ["deploy"]

    def test_a_target_beside_the_failed_stage_closes_downwards_over_both(self) -> None:
        found = plan(
            pipeline(stage("a"), stage("after-a", "a"), stage("b"), stage("after-b", "b")), "b", "a"
        )
        assert undone(found) == ["after-b", "b", "after-a", "a"]

    def test_a_target_below_the_failed_stage_closes_downwards_over_both(self) -> None:
        assert undone(plan(CHAIN, "build", "smoke")) == ["smoke", "deploy", "build"]

    def test_only_the_target_has_to_be_known(self) -> None:
        with pytest.raises(KeyError):
            plan(CHAIN, "smoke", "ghost")
        with pytest.raises(KeyError):
            plan(CHAIN, "ghost", "build")


class TestOrder:
    def test_dependants_come_first(self) -> None:
        assert undone(plan(DIAMOND, "smoke", "build"))[0] == "smoke"
        assert undone(plan(DIAMOND, "smoke", "build"))[-1] == "build"

    def test_of_independent_stages_the_one_that_started_last_comes_first(self) -> None:
        late_api = plan(DIAMOND, "smoke", "build", minute={"api": 9, "web": 3})
        late_web = plan(DIAMOND, "smoke", "build", minute={"api": 3, "web": 9})
        assert undone(late_api) == ["smoke", "api", "web", "build"]
        assert undone(late_web) == ["smoke", "web", "api", "build"]

    def test_a_microsecond_decides(self) -> None:
        runs = stage_runs(DIAMOND, minute={"api": 3, "web": 3})
        begun = MORNING + timedelta(minutes=3, microseconds=1)
        runs["api"] = replace(runs["api"], started_at=begun)
        found = plan_rollback(
            DIAMOND, StageGraph.of(DIAMOND.stages), runs, failed_stage="smoke", target="build"
        )
        assert undone(found) == ["smoke", "api", "web", "build"]

    def test_of_stages_that_started_together_the_lower_one_in_the_file_comes_first(self) -> None:
        together = plan(DIAMOND, "smoke", "build", minute={"api": 3, "web": 3})
        assert undone(together) == ["smoke", "web", "api", "build"]

    def test_dependencies_count_more_than_start_times(self) -> None:
        retried = plan(CHAIN, "smoke", "build", minute={"build": 30, "deploy": 20, "smoke": 10})
        assert undone(retried) == ["smoke", "deploy", "build"]

    @pytest.mark.parametrize("middle", [None, UNDONE])
    def test_the_order_holds_across_a_stage_that_is_not_undone(
        self, middle: StageStatus | None
    ) -> None:
        idle = set() if middle else {"deploy"}
        found = plan(
            CHAIN,
            "smoke",
            "build",
            idle=idle,
            status={"deploy": middle} if middle else None,
            minute={"build": 30, "smoke": 1},
        )
        assert undone(found) == ["smoke", "build"]

    def test_a_stage_that_is_not_undone_does_not_disturb_the_ties(self) -> None:
        found = plan(
            pipeline(
                stage("build"), stage("gap", "build"), stage("api", "gap"), stage("web", "build")
            ),
            "api",
            "build",
            idle={"gap"},
            minute={"api": 1, "web": 2},
        )
        assert undone(found) == ["web", "api", "build"]


class TestUndo:
    def test_a_step_carries_the_undo_of_its_stage(self) -> None:
        (step,) = plan(pipeline(stage("a", agent="undoer", task="take ${version} back")), "a").steps
        assert (step.agent, step.task) == ("undoer", "take ${version} back")
        assert (step.restores, step.irreversible, step.idempotent) == ((), False, False)

    def test_an_undo_without_an_agent_is_the_stages_own_agents(self) -> None:
        (step,) = plan(pipeline(stage("a")), "a").steps
        assert step.agent == "deployer"

    def test_an_idempotent_undo_says_so(self) -> None:
        undo = Undo(task="t", idempotent=True)
        (step,) = plan(pipeline(replace(stage("a"), rollback=undo)), "a").steps
        assert step.idempotent

    def test_the_rollback_agent_undoes_a_target_without_an_undo(self) -> None:
        (step,) = plan(pipeline(bare("deploy"), rollback_agent=True), "deploy").steps
        assert (step.agent, step.task) == (ROLLBACK_AGENT, "Rollback deploy")

    def test_the_rollback_agent_undoes_nothing_but_the_target(self) -> None:
        found = plan(
            pipeline(bare("deploy"), bare("smoke", "deploy"), rollback_agent=True),
            "smoke",
            "deploy",
        )
        assert undone(found) == ["deploy"]
        assert skipped(found) == {"smoke": "nothing to undo"}

    def test_an_undo_of_its_own_comes_before_the_rollback_agent(self) -> None:
        (step,) = plan(pipeline(stage("deploy"), rollback_agent=True), "deploy").steps
        assert step.agent == "deployer"

    def test_a_run_is_real_unless_it_is_said_to_be_simulated(self) -> None:
        of = pipeline(bare("deploy"))
        found = plan_rollback(of, StageGraph.of(of.stages), stage_runs(of), failed_stage="deploy")
        assert found.steps == ()

    def test_a_step_is_neither_irreversible_nor_idempotent_unless_it_says_so(self) -> None:
        step = PlanStep(stage_name="a", agent="b", task="c")
        assert (step.irreversible, step.idempotent) == (False, False)

    def test_a_simulated_run_always_has_a_rollback_agent(self) -> None:
        (step,) = plan(pipeline(bare("deploy")), "deploy", simulated=True).steps
        assert step.agent == ROLLBACK_AGENT

    def test_a_stage_with_nothing_to_undo_is_listed_so(self) -> None:
        found = plan(pipeline(stage("deploy"), bare("smoke", "deploy")), "smoke", "deploy")
        assert found.skipped == (PlanSkip(stage_name="smoke", reason="nothing to undo"),)
        assert "stage 'smoke' ran and has nothing to undo it" in found.warnings

    def test_a_stage_undone_before_names_the_rollback(self) -> None:
        found = plan(CHAIN, "smoke", "deploy", status={"smoke": UNDONE})
        assert skipped(found) == {"smoke": "already undone by rollback 4"}

    def test_a_stage_that_did_not_run_is_not_listed_unless_it_is_the_target(self) -> None:
        assert skipped(plan(CHAIN, "smoke", "build", idle={"deploy"})) == {}

    def test_skipped_stages_stand_in_file_order(self) -> None:
        found = plan(pipeline(stage("a"), bare("z", "a"), bare("m", "a"), bare("b", "z")), "b", "a")
        assert list(skipped(found)) == ["z", "m", "b"]

    @pytest.mark.parametrize("state", [StageStatus.RUNNING, StageStatus.RETRYING])
    def test_a_stage_under_way_is_warned_about(self, state: StageStatus) -> None:
        found = plan(CHAIN, "smoke", "deploy", status={"smoke": state})
        assert found.warnings == ("stage 'smoke' still runs and will be cancelled first",)

    def test_a_plan_without_obstacles_has_no_warnings(self) -> None:
        found = plan(CHAIN, "smoke", "deploy")
        assert (found.warnings, found.skipped, found.irreversible, found.refusal) == (
            (),
            (),
            (),
            "",
        )


class TestIrreversible:
    FOUND = plan(
        pipeline(stage("deploy"), stage("mail", "deploy", irreversible=True)), "mail", "deploy"
    )

    def test_it_is_named_and_warned_about(self) -> None:
        assert self.FOUND.irreversible == ("mail",)
        assert self.FOUND.warnings == (
            "stage 'mail' is irreversible: its effects cannot be taken back",
        )

    def test_its_step_says_so(self) -> None:
        assert [step.irreversible for step in self.FOUND.steps] == [True, False]

    def test_outside_the_scope_it_does_not_count(self) -> None:
        found = plan(pipeline(stage("mail", irreversible=True), stage("deploy", "mail")), "deploy")
        assert found.irreversible == ()

    @pytest.mark.parametrize("state", [UNDONE, StageStatus.SKIPPED])
    def test_what_has_no_effects_is_not_irreversible(self, state: StageStatus) -> None:
        of = pipeline(stage("deploy"), stage("mail", "deploy", irreversible=True))
        idle = {"mail"} if state is StageStatus.SKIPPED else set()
        assert plan(of, "mail", "deploy", idle=idle, status={"mail": state}).irreversible == ()

    def test_without_a_task_it_has_no_step_and_is_listed(self) -> None:
        found = plan(
            pipeline(stage("deploy"), stage("mail", "deploy", irreversible=True, task="")),
            "mail",
            "deploy",
        )
        assert undone(found) == ["deploy"]
        assert found.irreversible == ("mail",)
        assert skipped(found) == {"mail": "irreversible, stays as it is"}


class TestRefusal:
    def test_a_target_without_an_undo_is_refused(self) -> None:
        found = plan(pipeline(bare("deploy"), stage("smoke", "deploy")), "smoke", "deploy")
        assert found.refusal == "Stage 'deploy' has nothing to undo it"

    def test_an_irreversible_target_without_a_task_is_refused(self) -> None:
        found = plan(
            pipeline(stage("mail", irreversible=True, task=""), stage("log", "mail")), "log", "mail"
        )
        assert found.refusal == "Stage 'mail' has nothing to undo it"

    def test_nothing_that_started_is_refused(self) -> None:
        found = plan(CHAIN, "smoke", "deploy", idle={"deploy", "smoke"})
        assert found.refusal == "Nothing to roll back: stage 'deploy' did not run"
        assert skipped(found) == {"deploy": "did not run"}

    def test_nothing_that_is_left_is_refused(self) -> None:
        found = plan(CHAIN, "smoke", "deploy", status={"deploy": UNDONE, "smoke": UNDONE})
        assert found.refusal == "Nothing to roll back: stage 'deploy' has no step left to undo"
        assert skipped(found) == {
            "deploy": "already undone by rollback 4",
            "smoke": "already undone by rollback 4",
        }

    def test_a_target_that_did_not_run_is_listed_and_the_rest_undone(self) -> None:
        found = plan(CHAIN, "smoke", "deploy", idle={"deploy"})
        assert undone(found) == ["smoke"]
        assert skipped(found) == {"deploy": "did not run"}
        assert found.refusal == ""

    def test_a_target_without_an_undo_that_did_not_run_leaves_nothing_to_refuse(self) -> None:
        found = plan(
            pipeline(bare("flag"), stage("deploy", "flag")), "deploy", "flag", idle={"flag"}
        )
        assert (undone(found), found.refusal) == (["deploy"], "")

    def test_a_target_undone_before_leaves_the_rest_to_undo(self) -> None:
        found = plan(CHAIN, "smoke", "deploy", status={"deploy": UNDONE})
        assert (undone(found), found.refusal) == (["smoke"], "")
        assert skipped(found) == {"deploy": "already undone by rollback 4"}


class TestChains:
    def test_an_unrelated_stage_follows(self) -> None:
        of = pipeline(stage("deploy", then=("cache",)), stage("cache"))
        assert undone(plan(of, "deploy", minute={"cache": 9})) == ["deploy", "cache"]

    def test_a_stage_upstream_follows(self) -> None:
        of = pipeline(stage("migrate"), stage("deploy", "migrate", then=("migrate",)))
        assert undone(plan(of, "deploy")) == ["deploy", "migrate"]

    def test_what_depends_on_a_chained_stage_is_undone_before_it(self) -> None:
        of = pipeline(
            stage("migrate"),
            stage("deploy", "migrate", then=("migrate",)),
            stage("report", "migrate"),
        )
        assert undone(plan(of, "deploy", minute={"report": 0})) == ["deploy", "report", "migrate"]

    def test_chains_go_on(self) -> None:
        of = pipeline(stage("a", then=("b",)), stage("b", then=("c",)), stage("c"), stage("d"))
        assert undone(plan(of, "a")) == ["a", "b", "c"]

    def test_the_chain_of_a_stage_downstream_counts(self) -> None:
        of = pipeline(stage("cache"), stage("deploy"), stage("smoke", "deploy", then=("cache",)))
        assert undone(plan(of, "smoke", "deploy", minute={"cache": 9})) == [
            "smoke",
            "cache",
            "deploy",
        ]

    def test_a_stage_that_is_not_undone_itself_chains_nothing(self) -> None:
        of = pipeline(stage("cache"), stage("deploy"), stage("flag", "deploy", then=("cache",)))
        assert undone(plan(of, "deploy", idle={"flag"})) == ["deploy"]
        assert undone(plan(of, "deploy", status={"flag": UNDONE})) == ["deploy"]

    def test_a_stage_that_is_not_undone_itself_sets_no_order_by_its_chain(self) -> None:
        of = pipeline(
            stage("deploy"),
            stage("flag", "deploy", then=("mail",)),
            stage("page", "flag"),
            stage("mail", "deploy"),
        )
        found = plan(of, "deploy", idle={"flag"}, minute={"mail": 9})
        assert undone(found) == ["mail", "page", "deploy"]

    def test_a_chained_stage_that_did_not_start_is_not_undone(self) -> None:
        of = pipeline(stage("deploy", then=("cache",)), stage("cache"))
        assert undone(plan(of, "deploy", idle={"cache"})) == ["deploy"]

    def test_a_chained_stage_is_no_target_for_the_rollback_agent(self) -> None:
        of = pipeline(stage("deploy", then=("cache",)), bare("cache"), rollback_agent=True)
        assert skipped(plan(of, "deploy")) == {"cache": "nothing to undo"}

    def test_a_chain_to_a_stage_that_does_not_exist_is_passed_over(self) -> None:
        assert undone(plan(pipeline(stage("deploy", then=("ghost",))), "deploy")) == ["deploy"]

    @pytest.mark.parametrize(
        ("stages", "cycles"),
        [
            ((stage("a", then=("a",)),), (("a",),)),
            ((stage("a", then=("b",)), stage("b", then=("a",))), (("a", "b"),)),
            ((stage("a", then=("b",)), stage("b", "a")), (("a", "b"),)),
            ((stage("a"), stage("b", "a", then=("a",))), ()),
            ((stage("a", then=("b",)), stage("b")), ()),
            ((stage("a", then=("ghost",)), bare("b", "a")), ()),
        ],
    )
    def test_a_chain_against_the_order_is_a_cycle(
        self, stages: tuple[Stage, ...], cycles: tuple[tuple[str, ...], ...]
    ) -> None:
        found = undo_cycles(pipeline(*stages), StageGraph.of(stages))
        assert tuple(tuple(sorted(cycle)) for cycle in found) == cycles


class TestHash:
    BASE = plan(DIAMOND, "smoke", "build")

    def test_the_same_request_has_the_same_hash(self) -> None:
        assert plan(DIAMOND, "smoke", "build").hash == self.BASE.hash

    def test_statuses_do_not_change_it(self) -> None:
        status = {"api": StageStatus.RUNNING, "web": StageStatus.FAILED}
        assert plan(DIAMOND, "smoke", "build", status=status).hash == self.BASE.hash

    def test_times_do_not_change_it_even_when_they_change_the_order(self) -> None:
        other = plan(DIAMOND, "smoke", "build", minute={"api": 90})
        assert undone(other) != undone(self.BASE)
        assert other.hash == self.BASE.hash

    @pytest.mark.parametrize(
        "other",
        [
            plan(DIAMOND, "smoke", "api"),
            plan(DIAMOND, "smoke", "build", idle={"smoke"}),
            plan(DIAMOND, "smoke", "build", status={"smoke": UNDONE}),
        ],
        ids=["target", "started", "undone"],
    )
    def test_another_target_or_scope_changes_it(self, other: RollbackPlan) -> None:
        assert other.hash != self.BASE.hash

    def test_a_stage_in_scope_counts_though_nothing_undoes_it(self) -> None:
        of = pipeline(stage("deploy"), bare("smoke", "deploy"))
        assert plan(of, "deploy").hash != plan(of, "deploy", idle={"smoke"}).hash

    @pytest.mark.parametrize(
        "undo",
        [
            Undo(task="another"),
            Undo(task="undo smoke", agent="another"),
            Undo(task="undo smoke", irreversible=True),
            None,
        ],
        ids=["task", "agent", "irreversible", "none"],
    )
    def test_another_undo_changes_it(self, undo: Undo | None) -> None:
        *rest, smoke = DIAMOND.stages
        other = replace(DIAMOND, stages=(*rest, replace(smoke, rollback=undo)))
        assert plan(other, "smoke", "build").hash != self.BASE.hash

    def test_it_is_a_sha256_in_hexadecimal(self) -> None:
        assert len(bytes.fromhex(self.BASE.hash)) == 32


class TestNarrowed:
    def test_only_the_wanted_steps_stay_in_their_order(self) -> None:
        whole = plan(DIAMOND, "smoke", "build")
        found = narrowed(whole, ["build", "smoke", "ghost"])
        assert undone(found) == ["smoke", "build"]
        assert replace(found, steps=whole.steps) == whole


class TestPossibleTargets:
    def targets(
        self,
        failed: str,
        idle: Collection[str] = (),
        status: Mapping[str, StageStatus] | None = None,
    ) -> tuple[str, ...]:
        graph = StageGraph.of(DIAMOND.stages)
        return possible_targets(DIAMOND, graph, stage_runs(DIAMOND, idle, status), failed)

    def test_they_are_what_the_failed_stage_waited_for_and_itself(self) -> None:
        assert self.targets("smoke") == ("build", "api", "web", "smoke")
        assert self.targets("api") == ("build", "api")

    def test_what_did_not_start_is_none(self) -> None:
        assert self.targets("smoke", idle={"web", "smoke"}) == ("build", "api")

    def test_what_was_undone_is_none(self) -> None:
        assert self.targets("smoke", status={"smoke": UNDONE, "web": UNDONE}) == ("build", "api")

    def test_an_unknown_stage_raises(self) -> None:
        with pytest.raises(KeyError):
            self.targets("ghost")


class TestStepPredecessors:
    def test_steps_wait_only_for_their_nearest_dependants(self) -> None:
        of = replace(DIAMOND, parallel_rollback=True)
        found = plan(of, "smoke", "build")
        assert undone(found) == ["smoke", "web", "api", "build"]
        assert step_predecessors(of, StageGraph.of(of.stages), found) == (
            frozenset(),
            frozenset({0}),
            frozenset({0}),
            frozenset({1, 2}),
        )

    def test_what_stands_between_two_undos_and_has_none_tells_their_order(self) -> None:
        between = (bare("api", "deploy"), bare("web", "deploy"))
        of = pipeline(stage("deploy"), *between, stage("smoke", "api", "web"))
        of = replace(of, parallel_rollback=True)
        found = plan(of, "smoke", "deploy")
        assert undone(found) == ["smoke", "deploy"]
        assert step_predecessors(of, StageGraph.of(of.stages), found) == (
            frozenset(),
            frozenset({0}),
        )

    def test_a_long_chain_costs_one_entry_per_step(self) -> None:
        stages = (stage("s0"), *(stage(f"s{n}", f"s{n - 1}") for n in range(1, 2_000)))
        of = replace(pipeline(*stages), parallel_rollback=True)
        found = step_predecessors(of, StageGraph.of(stages), plan(of, "s1999", "s0"))
        assert sum(map(len, found)) == 1_999

    @pytest.mark.parametrize(
        ("parallel", "before"),
        [(False, {"smoke", "web"}), (True, {"smoke"})],
    )
    def test_what_was_undone_before_a_step_is_all_that_it_waited_for(
        self, before: set[str], *, parallel: bool
    ) -> None:
        of = replace(DIAMOND, parallel_rollback=parallel)
        graph, found = StageGraph.of(of.stages), plan(of, "smoke", "build")
        smoke, _, api, build = found.steps
        assert parts_before(of, graph, found, smoke) == frozenset()
        assert parts_before(of, graph, found, api) == before
        assert parts_before(of, graph, found, build) == {"smoke", "web", "api"}


class TestIsUndoneAsTarget:
    @pytest.mark.parametrize(
        ("target", "is_undone"),
        [
            (stage("deploy"), True),
            (stage("deploy", task="", irreversible=True), False),
            (bare("deploy"), False),
            (replace(bare("deploy"), snapshot=Snapshot(paths=("conf",))), True),
            (replace(bare("deploy"), snapshot=Snapshot(values=(("was", "true"),))), False),
        ],
        ids=["undo", "irreversible", "bare", "paths", "values"],
    )
    def test_an_undo_or_a_snapshot_with_paths_undoes_it(
        self, target: Stage, *, is_undone: bool
    ) -> None:
        assert is_undone_as_target(pipeline(target), target, simulated=False) is is_undone

    def test_the_rollback_agent_undoes_any_target_and_a_simulated_run_always_has_one(self) -> None:
        target = bare("deploy")
        of = pipeline(target, rollback_agent=True)
        assert is_undone_as_target(of, target, simulated=False)
        assert is_undone_as_target(pipeline(target), target, simulated=True)


def test_what_was_kept_of_a_stage_is_put_back_with_or_without_an_agent() -> None:
    of = pipeline(stage("build"), bare("deploy", "build"), bare("smoke", "deploy"))
    kept = {"build": ("conf",), "deploy": ("a", "b")}
    found = plan_rollback(
        of,
        StageGraph.of(of.stages),
        stage_runs(of),
        failed_stage="smoke",
        target="build",
        snapshots=kept,
    )
    assert [step.doing for step in found.steps] == [
        "put back a, b",
        "put back conf, then undo build (deployer)",
    ]
    assert [step.idempotent for step in found.steps] == [True, False]
    assert skipped(found) == {"smoke": NOTHING_TO_UNDO}
    assert plan(of, "smoke", "build").hash != found.hash


def test_what_is_irreversible_is_not_put_back_although_it_was_kept() -> None:
    of = pipeline(stage("build", irreversible=True, task=""), stage("deploy", "build"))
    found = plan_rollback(
        of,
        StageGraph.of(of.stages),
        stage_runs(of),
        failed_stage="deploy",
        target="build",
        snapshots={"build": ("conf",)},
    )
    assert undone(found) == ["deploy"]
    assert skipped(found) == {"build": IRREVERSIBLE}


def test_of_a_whole_run_of_which_nothing_is_left_to_undo_that_is_said() -> None:
    found = plan(CHAIN, "", status=dict.fromkeys(("build", "deploy", "smoke"), UNDONE))
    assert found.refusal == "Nothing to roll back: no stage that ran has a step left to undo"


def test_an_agent_that_goes_back_to_a_release_is_stuck_where_there_is_none() -> None:
    of = pipeline(stage("build"), stage("deploy", "build"))
    agent = replace(of.agents[0], shell="deploy $ORCHESTRATE_PREVIOUS_VERSION")
    found = plan(replace(of, agents=(agent,)), "deploy", "build")
    assert undone(found) == []
    assert skipped(found) == dict.fromkeys(("build", "deploy"), NO_EARLIER_RELEASE)
    assert found.refusal == f"Stage 'build' has nothing to go back to: {NO_EARLIER_RELEASE}"
    assert found.warnings == tuple(
        f"stage '{name}' ran and has nothing to go back to: {NO_EARLIER_RELEASE}"
        for name in ("deploy", "build")
    )


def test_the_order_of_starts_counts_and_not_their_times() -> None:
    of = pipeline(stage("base"), stage("left", "base"), stage("right", "base"))
    runs = stage_runs(of, minute={"left": 5, "right": 9})
    starts = {"base": 1, "right": 2, "left": 3}
    graph = StageGraph.of(of.stages)
    found = plan_rollback(of, graph, runs, failed_stage="right", target="base", starts=starts)
    assert undone(found) == ["left", "right", "base"]


def test_of_what_is_skipped_only_that_is_told_of_which_no_warning_tells() -> None:
    of = pipeline(
        stage("build"),
        bare("deploy", "build"),
        stage("migrate", "build", irreversible=True, task=""),
        stage("restart", "build", task="${previous.version}"),
        stage("smoke", "deploy"),
    )
    found = plan(of, "deploy", "build", status={"smoke": UNDONE})
    assert skipped(found) == {
        "deploy": NOTHING_TO_UNDO,
        "migrate": IRREVERSIBLE,
        "restart": NO_EARLIER_RELEASE,
        "smoke": "already undone by rollback 4",
    }
    assert [skip.stage_name for skip in found.told_skips] == ["smoke"]
    told = " ".join(found.warnings)
    assert all(f"stage '{name}'" in told for name in ("deploy", "migrate", "restart"))
