"""What holds when a pipeline file says nothing."""

from __future__ import annotations

from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
from orchestrate_tui.domain.pipeline import (
    Agent,
    AgentKind,
    OnFailure,
    Pipeline,
    Simulation,
    Stage,
    Undo,
)
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import RollbackTriggerType, StageStatus, StepStatus


def test_a_pipeline_runs_eight_stages_at_once_and_lets_them_finish() -> None:
    pipeline = Pipeline(name="p", stages=())
    assert pipeline.max_parallel == 8
    assert not pipeline.fail_fast
    assert not pipeline.parallel_rollback


def test_a_stage_that_fails_halts_the_run() -> None:
    assert Stage(name="a", agent="b", task="c").on_failure is OnFailure.HALT


def test_an_undo_is_neither_repeatable_nor_final() -> None:
    undo = Undo(task="t")
    assert not undo.idempotent
    assert not undo.irreversible


def test_an_agent_succeeds_with_code_zero_and_leaves_nothing_behind() -> None:
    agent = Agent(name="a", kind=AgentKind.COMMAND)
    assert agent.success_codes == (0,)
    assert agent.grace_s == 10
    assert not agent.leaves_processes


def test_a_simulated_agent_succeeds_at_once() -> None:
    assert not Simulation().fail
    assert Simulation().duration_s == 0


def test_a_stage_or_step_that_did_not_start_has_no_attempt() -> None:
    run = StageRun(run_id=1, stage_name="a", position=0)
    step = RollbackStep(rollback_id=1, position=0, stage_name="a", agent="b", task="c")
    assert (run.status, run.attempt) == (StageStatus.PENDING, 0)
    assert (step.status, step.attempt) == (StepStatus.PENDING, 0)


def test_nobody_accepts_the_irreversible_by_saying_nothing() -> None:
    event = RollbackEvent(
        run_id=1,
        failed_stage_name="b",
        rollback_to_stage="a",
        trigger_type=RollbackTriggerType.MANUAL,
    )
    assert not event.accept_irreversible
