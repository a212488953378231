"""Small questions that a pipeline and a run answer about themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest

from orchestrate_tui.domain.conditions import Circumstances
from orchestrate_tui.domain.notifying import NotifyRule
from orchestrate_tui.domain.pipeline import (
    Agent,
    AgentKind,
    Approval,
    Environment,
    OnFailure,
    Pipeline,
    Retry,
    Secret,
    Stage,
    Undo,
)
from orchestrate_tui.domain.run import StageRun, TriggerContext
from orchestrate_tui.domain.status import StageStatus


def stage(name: str, on_failure: OnFailure = OnFailure.HALT, to: str | None = None) -> Stage:
    return Stage(name=name, agent="a", task="t", on_failure=on_failure, rollback_to=to)


class TestRetry:
    def test_a_stage_is_tried_once_unless_told_otherwise(self) -> None:
        assert Retry().attempts == 1

    def test_the_first_repetition_waits_the_delay_and_each_later_one_longer(self) -> None:
        retry = Retry(attempts=4, delay_s=5, backoff=2)
        assert [retry.delay_before(attempt) for attempt in (2, 3, 4)] == [5, 10, 20]

    def test_without_backoff_every_delay_is_the_same(self) -> None:
        retry = Retry(attempts=3, delay_s=1.5)
        assert [retry.delay_before(attempt) for attempt in (2, 3)] == [1.5, 1.5]

    def test_no_delay_stays_none_however_often(self) -> None:
        assert Retry(attempts=100, backoff=10).delay_before(100) == 0


class TestApproval:
    def test_every_listed_entry_is_needed_by_default(self) -> None:
        assert Approval(approvers=("kim", "@ops")).needed == 2

    def test_a_quorum_can_ask_for_less(self) -> None:
        assert Approval(approvers=("kim", "@ops"), quorum=1).needed == 1

    def test_it_waits_a_day_by_default(self) -> None:
        assert Approval(approvers=("kim",)).timeout_s == 86_400


class TestRollbackTarget:
    def test_a_stage_that_halts_has_none(self) -> None:
        assert stage("a").rollback_target is None
        assert stage("a", OnFailure.CONTINUE).rollback_target is None

    def test_it_is_the_stage_that_the_file_names(self) -> None:
        assert stage("b", OnFailure.ROLLBACK, "a").rollback_target == "a"

    def test_without_a_name_it_is_the_stage_itself(self) -> None:
        assert stage("b", OnFailure.ROLLBACK).rollback_target == "b"


class TestPipeline:
    PIPELINE = Pipeline(
        name="p",
        stages=(stage("a"), stage("b")),
        agents=(Agent(name="x", kind=AgentKind.SHELL), Agent(name="y", kind=AgentKind.COMMAND)),
    )

    def test_a_stage_is_found_by_name(self) -> None:
        assert self.PIPELINE.stage("b") == stage("b")
        assert self.PIPELINE.stage("x") is None

    def test_an_agent_is_found_by_name(self) -> None:
        assert self.PIPELINE.agent("y") == Agent(name="y", kind=AgentKind.COMMAND)
        assert self.PIPELINE.agent("a") is None

    def test_a_pipeline_is_a_value(self) -> None:
        assert hash(self.PIPELINE) == hash(
            Pipeline(**{f: getattr(self.PIPELINE, f) for f in ("name", "stages", "agents")})
        )
        with pytest.raises(FrozenInstanceError):
            self.PIPELINE.name = "q"  # type: ignore[misc]

    def test_an_undo_may_take_half_an_hour(self) -> None:
        assert Undo(task="t").timeout_s == 1_800

    @pytest.mark.parametrize(
        ("kind", "starts"),
        [
            (AgentKind.COMMAND, True),
            (AgentKind.SHELL, True),
            (AgentKind.PYTHON, True),
            (AgentKind.HTTP, False),
            (AgentKind.SIMULATED, False),
        ],
    )
    def test_only_agents_that_are_processes_start_programs(
        self, kind: AgentKind, *, starts: bool
    ) -> None:
        agent = Agent(name="a", kind=kind)
        assert Pipeline(name="p", stages=(stage("s"),), agents=(agent,)).starts_programs is starts

    def test_an_agent_that_no_stage_names_starts_nothing(self) -> None:
        assert not self.PIPELINE.starts_programs

    def test_a_channel_that_several_rules_tell_is_named_once(self) -> None:
        rules = (NotifyRule(to=("TEAM", "BOSS")), NotifyRule(to=("ON_CALL", "TEAM")))
        found = Pipeline(name="p", stages=(), notify=rules)
        assert found.channels == ("TEAM", "BOSS", "ON_CALL")

    def test_new_runs_stop_after_three_rollbacks_where_the_file_says_nothing(self) -> None:
        places = (Environment(name="live", breaker=1), Environment(name="test", breaker=0))
        found = Pipeline(name="p", stages=(), environments=places)
        assert [found.breaker(name) for name in ("live", "test", "elsewhere")] == [1, 0, 3]


class TestSecret:
    def test_its_label_and_its_name_tell_where_it_lies(self) -> None:
        variable, file = Secret(env="TOKEN"), Secret(file="TOKEN")
        assert (variable.label, str(variable)) == ("TOKEN", "the environment variable 'TOKEN'")
        assert (file.label, str(file)) == ("file:TOKEN", "the file 'TOKEN'")


class TestRun:
    def test_conditions_are_asked_about_the_trigger_and_the_values(self) -> None:
        trigger = TriggerContext(
            event="push", branch="main", labels=("hotfix",), changed=("a",), variables=(("x", "1"),)
        )
        assert trigger.circumstances({"x": "2"}) == Circumstances(
            branch="main", labels=("hotfix",), changed=("a",), variables={"x": "2"}
        )

    def test_a_trigger_that_says_nothing_leaves_branch_and_paths_unknown(self) -> None:
        assert TriggerContext().circumstances({}) == Circumstances(branch=None, changed=None)

    def test_a_stage_has_started_once_it_has_a_start_time(self) -> None:
        at = datetime(2024, 5, 1, tzinfo=UTC)
        assert not StageRun(run_id=1, stage_name="a", position=0).started
        assert StageRun(run_id=1, stage_name="a", position=0, started_at=at).started

    def test_only_a_stage_that_would_work_now_is_held_by_somebody(self) -> None:
        held = StageRun(
            run_id=1, stage_name="a", position=0, status=StageStatus.RUNNING, waits_for="run 3"
        )
        assert held.is_held
        assert not replace(held, waits_for="").is_held
        assert not replace(held, status=StageStatus.CANCELLED).is_held
