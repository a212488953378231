from __future__ import annotations

import pytest

from orchestrate_tui.domain.pipeline import Agent, AgentKind, Retry
from orchestrate_tui.domain.status import (
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
)
from tests.executor.scenery import (
    FAILURE,
    FOREVER,
    HOLD,
    NOTHING,
    ROLLBACK,
    SCRIPT,
    Scene,
    after,
    asking,
    is_running,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SUCCEEDED, FAILED = RollbackStatus.SUCCEEDED, RollbackStatus.FAILED
WAITS_THEN_FAILS = "read go <gate; exit 1"


async def test_a_failure_undoes_its_target_and_what_ran_after_it(scene: Scene) -> None:
    run = await scene.run(
        undone("build"),
        undone("deploy", "", "build"),
        undone("warm", "", "deploy"),
        after("smoke", "warm", task="exit 7", on_failure=ROLLBACK, rollback_to="deploy"),
        after("announce", "smoke"),
    )
    assert scene.undone() == ["warm", "deploy"]
    assert (run.status, run.reason) == (RunStatus.FAILED, "stage 'smoke' failed: exit code 7")
    assert scene.statuses(run.id) == {
        "build": "succeeded", "deploy": "rolled_back", "warm": "rolled_back",
        "smoke": "failed", "announce": "skipped",
    }  # fmt: skip
    event = scene.rollback(run.id)
    assert (event.failed_stage_name, event.rollback_to_stage) == ("smoke", "deploy")
    assert (event.trigger_type, event.status) == (RollbackTriggerType.AUTOMATIC, SUCCEEDED)
    assert (event.actor, event.reason) == ("", "stage 'smoke' failed: exit code 7")
    assert scene.stage(run.id, "warm").rolled_back_by == event.id


async def test_without_a_target_the_failed_stage_itself_is_undone(scene: Scene) -> None:
    run = await scene.run(undone("deploy", "exit 1", on_failure=ROLLBACK))
    event = scene.rollback(run.id)
    assert (event.failed_stage_name, event.rollback_to_stage) == ("deploy", "deploy")
    assert scene.statuses(run.id) == {"deploy": "rolled_back"}


async def test_it_waits_for_the_last_attempt(scene: Scene) -> None:
    run = await scene.run(
        undone("deploy", "echo try >>tries; exit 1", on_failure=ROLLBACK, retry=Retry(attempts=2))
    )
    assert scene.noted("tries") == ["try", "try"]
    assert len(scene.rollbacks(run.id)) == 1


async def test_a_stage_that_takes_too_long_rolls_back(scene: Scene) -> None:
    run = await scene.run(
        undone("deploy", "exec tail -f /dev/null", timeout_s=0.05, on_failure=ROLLBACK)
    )
    assert scene.rollback(run.id).reason == "stage 'deploy' failed: timed out after 0.05s"
    assert scene.undone() == ["deploy"]


async def test_what_runs_in_its_scope_is_stopped_first_and_the_rest_is_left_to_finish(
    scene: Scene,
) -> None:
    async with scene.running(
        undone("deploy"),
        undone("traffic", FOREVER, "deploy"),
        stage("docs", HOLD),
        after("smoke", "deploy", task="read go <other-gate; exit 1", on_failure=ROLLBACK,
              rollback_to="deploy"),
    ) as run_id:  # fmt: skip
        lines = await scene.ready.lines(2)
        (pid,) = (line.split()[1] for line in lines if line.startswith("traffic"))
        scene.other_gate.open()
        await scene.hub.until(lambda: scene.history.rollbacks(run_id))
        await scene.hub.until(lambda: scene.rollback(run_id).status is SUCCEEDED)
        assert scene.statuses(run_id)["docs"] == "running"
        assert not is_running(pid)
        scene.gate.open()
    assert scene.undone() == ["traffic", "deploy"]
    assert scene.statuses(run_id) == {
        "deploy": "rolled_back", "traffic": "rolled_back", "docs": "succeeded", "smoke": "failed",
    }  # fmt: skip
    event = scene.rollback(run_id)
    (cancelled,) = scene.stage_events(run_id, "cancelled")
    assert cancelled.detail == f"stopped by rollback {event.id}"


async def test_independent_stages_are_undone_latest_start_first(scene: Scene) -> None:
    await scene.run(
        undone("base"),
        undone("one", "", "base"),
        undone("two", "", "base"),
        undone("three", "", "base"),
        after("smoke", "one", "two", "three", task="exit 1", on_failure=ROLLBACK,
              rollback_to="base"),
        max_parallel=1,
    )  # fmt: skip
    assert scene.undone() == ["three", "two", "one", "base"]


async def test_a_target_without_an_undo_uses_the_rollback_agent(scene: Scene) -> None:
    helper = Agent(
        name="rollback-agent",
        kind=AgentKind.COMMAND,
        command=("/bin/sh", "-c", 'echo "$0" $ORCHESTRATE_FAILED_STAGE >>undone', "${task}"),
    )
    run = await scene.run(
        stage("deploy"),
        after("warm", "deploy"),
        after("smoke", "warm", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy"),
        agents=(SCRIPT, helper),
    )
    assert scene.undone() == ["Rollback deploy smoke"]
    assert scene.statuses(run.id)["warm"] == "succeeded"


async def test_nothing_to_undo_is_a_failed_event_with_a_sentence(scene: Scene) -> None:
    run = await scene.run(
        stage("deploy"),
        after("smoke", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy"),
    )
    event = scene.rollback(run.id)
    assert (event.status, event.error_message) == (
        FAILED,
        "Stage 'deploy' has nothing to undo it",
    )
    assert run.reason == "stage 'smoke' failed: exit code 1"


async def test_a_target_that_did_not_run_is_a_failed_event(scene: Scene) -> None:
    async with scene.running(
        undone("ship", approval=asking("root"), on_failure=ROLLBACK)
    ) as run_id:
        await scene.until(run_id, "ship", StageStatus.WAITING_APPROVAL)
        await scene.executor.reject(run_id, "ship", actor="root")
    event = scene.rollback(run_id)
    assert event.error_message == "Nothing to roll back: stage 'ship' did not run"
    assert scene.statuses(run_id) == {"ship": "rejected"}


async def test_an_irreversible_stage_keeps_everything_from_running(scene: Scene) -> None:
    run = await scene.run(
        undone("deploy"),
        undone("mail", "", "deploy", undo="", how={"irreversible": True}),
        after("smoke", "mail", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy"),
    )
    event = scene.rollback(run.id)
    assert (event.status, event.error_message) == (
        FAILED,
        "irreversible: stage(s) mail cannot be undone",
    )
    assert scene.undone() == []
    assert scene.history.steps(event.id or 0) == ()


async def test_an_irreversible_stage_keeps_what_runs_running(scene: Scene) -> None:
    async with scene.running(
        undone("deploy", how={"irreversible": True}),
        after("watch", "deploy", task=HOLD),
        after("smoke", "deploy", task="read go <other-gate; exit 1",
              on_failure=ROLLBACK, rollback_to="deploy"),
    ) as run_id:  # fmt: skip
        await scene.ready.line()
        scene.other_gate.open()
        await scene.hub.until(lambda: scene.history.rollbacks(run_id))
        await scene.hub.until(lambda: scene.rollback(run_id).status is FAILED)
        assert scene.statuses(run_id)["watch"] == "running"
        scene.gate.open()
    assert scene.statuses(run_id)["watch"] == "succeeded"


async def test_two_failures_queue_two_rollbacks(scene: Scene) -> None:
    run = await scene.run(
        undone("a", "exit 1", on_failure=ROLLBACK),
        undone("b", "exit 1", on_failure=ROLLBACK),
    )
    first, second = scene.rollbacks(run.id)
    assert (first.status, second.status) == (SUCCEEDED, SUCCEEDED)
    assert {first.rollback_to_stage, second.rollback_to_stage} == {"a", "b"}
    assert first.completed_at is not None
    assert second.started_at is not None
    assert first.completed_at <= second.started_at
    assert scene.statuses(run.id) == {"a": "rolled_back", "b": "rolled_back"}


async def test_a_stage_that_fails_while_another_is_undone_waits_for_its_turn(scene: Scene) -> None:
    slow = "echo a >ready; read go <other-gate; echo a >>undone"
    async with scene.running(
        undone("a", "exit 1", on_failure=ROLLBACK, undo=slow),
        undone("b", WAITS_THEN_FAILS, on_failure=ROLLBACK),
    ) as run_id:
        assert await scene.ready.line() == "a"
        scene.gate.open()
        await scene.until(run_id, "b", StageStatus.FAILED)
        first, second = scene.rollbacks(run_id)
        assert (first.status, second.status) == (RollbackStatus.RUNNING, RollbackStatus.PENDING)
        assert second.plan_hash == ""
        scene.other_gate.open()
    assert scene.undone() == ["a", "b"]


async def test_a_failing_undo_triggers_nothing(scene: Scene) -> None:
    run = await scene.run(
        undone("a", on_failure=ROLLBACK, undo="exit 5"),
        after("b", "a", task="exit 1", on_failure=ROLLBACK, rollback_to="a"),
    )
    event = scene.rollback(run.id)
    assert (event.status, event.error_message) == (FAILED, "step 'a' failed: exit code 5")
    assert scene.statuses(run.id) == {"a": "succeeded", "b": "failed"}


async def test_the_second_rollback_to_the_same_target_is_a_loop(scene: Scene) -> None:
    async with scene.running(
        undone("base"),
        after("x", "base", task=WAITS_THEN_FAILS, on_failure=ROLLBACK, rollback_to="base"),
        stage(
            "y",
            WAITS_THEN_FAILS.replace("gate", "other-gate"),
            on_failure=ROLLBACK,
            rollback_to="base",
        ),
    ) as run_id:
        scene.gate.open()
        await scene.hub.until(lambda: scene.statuses(run_id)["x"] in {"failed", "rolled_back"})
        scene.other_gate.open()
    first, second = scene.rollbacks(run_id)
    assert first.status is SUCCEEDED
    assert (second.status, second.error_message) == (
        FAILED,
        "Rollback loop detected: stage 'base' has already been rolled back to 1 time(s)",
    )
    assert scene.undone() == ["base"]


async def test_a_step_that_fails_leaves_those_after_it_pending(scene: Scene) -> None:
    run = await scene.run(
        undone("a"),
        undone("b", "", "a", undo="exit 9"),
        undone("c", "", "b"),
        after("d", "c", agent="failure", on_failure=ROLLBACK, rollback_to="a"),
        agents=(SCRIPT, NOTHING, FAILURE),
    )
    event = scene.rollback(run.id)
    assert event.error_message == "step 'b' failed: exit code 9"
    assert scene.steps(event.id) == {"c": "succeeded", "b": "failed", "a": "pending"}
    assert scene.statuses(run.id)["a"] == "succeeded"
