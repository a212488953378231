"""Rollbacks, and what else works in their environment."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from orchestrate_tui.domain.pipeline import Environment, Retry, Snapshot, Stage
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import CannotStart, Refused, RollbackRefused
from tests.executor.scenery import HOLD, ROLLBACK, Scene, after, undone

pytestmark = pytest.mark.anyio

HELD_UNDO = f"{HOLD}; echo $ORCHESTRATE_RUN_ID >>undone"


def deploys(
    task: str = "true", undo: str = "echo $ORCHESTRATE_RUN_ID >>undone", **how: Any
) -> Stage:
    return undone("deploy", task, undo=undo, environment="production", **how)


async def test_a_rollback_is_refused_where_a_newer_run_has_deployed(scene: Scene) -> None:
    first, second = await scene.run(deploys()), await scene.run(deploys())
    plan = await scene.executor.plan_rollback(first.id, "deploy")
    assert plan.newer == f"Run {second.id} has deployed to 'production' since"
    with pytest.raises(RollbackRefused, match=f"Run {second.id} has deployed.*with --force"):
        await scene.executor.trigger_rollback(first.id, "deploy", reason="x")
    with pytest.raises(RollbackRefused, match="forced rollback needs a reason"):
        await scene.executor.trigger_rollback(first.id, "deploy", force=True)
    event = await scene.executor.trigger_rollback(first.id, "deploy", reason="x", force=True)
    assert event.status is RollbackStatus.SUCCEEDED


async def test_a_newer_run_does_not_count_that_was_rolled_back_or_simulated_or_deployed_elsewhere(
    scene: Scene,
) -> None:
    first, second = await scene.run(deploys()), await scene.run(deploys())
    await scene.executor.trigger_rollback(second.id, "deploy")
    await scene.run(deploys(), simulated=True)
    await scene.run(undone("deploy", environment="staging"))
    await scene.run(deploys(), name="another")
    assert (await scene.executor.plan_rollback(first.id, "deploy")).newer == ""
    await scene.executor.trigger_rollback(first.id, "deploy")
    assert scene.undone() == [str(second.id), str(first.id)]


async def test_a_newer_run_counts_that_was_done_before_an_older_one(scene: Scene) -> None:
    async with scene.running(deploys(HOLD)) as first:
        await scene.ready.line()
        second = await scene.run(deploys())
        scene.gate.open()
    plan = await scene.executor.plan_rollback(first, "deploy")
    assert plan.newer == f"Run {second.id} has deployed to 'production' since"
    await scene.executor.trigger_rollback(first, "deploy", reason="x", force=True)
    assert [one.is_current for one in scene.history.releases()] == [False, False]


async def test_a_newer_run_does_not_count_whose_smoke_test_had_it_rolled_back(
    scene: Scene,
) -> None:
    first = await scene.run(deploys())
    smoke_test = after(
        "smoke-test", "deploy", task="exit 1", environment="production",
        on_failure=ROLLBACK, rollback_to="deploy",
    )  # fmt: skip
    await scene.run(deploys(), smoke_test)
    assert (await scene.executor.plan_rollback(first.id, "deploy")).newer == ""


async def test_a_manual_rollback_is_refused_with_the_name_of_a_rollback_that_is_under_way(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo=HELD_UNDO))
    second = await scene.run(deploys(), name="another")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(first.id, "deploy", actor="ann"))
        await scene.ready.line()
        with pytest.raises(
            RollbackRefused,
            match=r"Rollback 1 by ann of run 1 of shop is under way in 'production'",
        ):
            await scene.executor.trigger_rollback(second.id, "deploy", reason="x", force=True)
        scene.gate.open()
    assert (await scene.executor.trigger_rollback(second.id, "deploy")).status == "succeeded"


async def test_a_manual_rollback_is_refused_with_the_name_of_a_stage_that_works_there(
    scene: Scene,
) -> None:
    first = await scene.run(deploys())
    async with scene.running(deploys(HOLD), name="another", actor="ann"):
        await scene.ready.line()
        said = "Stage 'deploy' of run 2 of another by ann works in 'production'"
        with pytest.raises(RollbackRefused, match=said):
            await scene.executor.trigger_rollback(first.id, "deploy")
        scene.gate.open()


async def test_a_stage_waits_while_a_rollback_has_its_environment(scene: Scene) -> None:
    first = await scene.run(deploys(undo=HELD_UNDO))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(first.id, "deploy"))
        await scene.ready.line()
        async with scene.running(deploys("echo deployed >>undone"), name="another") as run_id:
            await scene.hub.until(lambda: scene.stage(run_id, "deploy").is_held)
            said = "of run 1 of shop is under way in 'production'"
            assert scene.stage(run_id, "deploy").waits_for.endswith(said)
            assert scene.undone() == []
            scene.gate.open()
    assert scene.undone() == ["1", "deployed"]
    assert scene.stage(run_id, "deploy").waits_for == ""
    log = scene.history.log_path(run_id, "deploy", 1)
    assert "waits: rollback 1 by" in log.read_text()
    assert "of run 1 of shop is under way in 'production'" in log.read_text()


async def test_a_stage_that_has_waited_keeps_what_the_rollback_has_left(scene: Scene) -> None:
    undo = "rm -f content; echo $ORCHESTRATE_STAGE >ready; read go <gate; echo old >content"
    first = await scene.run(deploys("echo new >content", undo=undo))
    second = deploys("echo newest >content", undo="true", snapshot=Snapshot(paths=("content",)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(first.id, "deploy"))
        await scene.ready.line()
        async with scene.running(second, name="another") as run_id:
            while not scene.history.log_path(run_id, "deploy", 1).exists():
                await anyio.lowlevel.checkpoint()
            scene.gate.open()
    await scene.executor.trigger_rollback(run_id, "deploy")
    assert scene.noted("content") == ["old"]


async def test_a_stage_that_has_waited_does_not_bring_back_the_version_that_was_undone(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo=HELD_UNDO), variables=(("version", "1.3"),))
    again = deploys("echo deployed >>undone", on_failure=ROLLBACK, retry=Retry(attempts=3))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(first.id, "deploy"))
        await scene.ready.line()
        async with scene.running(again, variables=(("version", "1.3"),)) as run_id:
            await scene.hub.until(lambda: scene.stage(run_id, "deploy").is_held)
            scene.gate.open()
    assert scene.undone() == ["1"]
    refused = scene.stage(run_id, "deploy")
    assert (refused.status, refused.started_at) == (StageStatus.SKIPPED, None)
    assert refused.reason.startswith("may not start: version 1.3 was taken back in production")
    assert scene.ended[run_id].reason == f"stage 'deploy' {refused.reason}"
    assert scene.history.rollbacks(run_id) == ()


async def test_an_automatic_rollback_waits_for_who_works_there(scene: Scene) -> None:
    async with scene.running(deploys(HOLD), name="another"):
        await scene.ready.line()
        async with scene.running(
            deploys(),
            after("test", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy"),
        ) as run_id:
            await scene.hub.until(
                lambda: any(
                    event.detail.startswith("waits: stage 'deploy' of run 1")
                    for event in scene.history.events(run_id)
                )
            )
            assert scene.rollback(run_id).status is RollbackStatus.PENDING
            scene.gate.open()
    assert scene.rollback(run_id).status is RollbackStatus.SUCCEEDED


async def test_two_rollbacks_of_different_environments_and_simulated_ones_meet_nobody(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo=HELD_UNDO))
    second = await scene.run(undone("deploy", environment="staging"), name="another")
    third = await scene.run(deploys(), name="another", simulated=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(first.id, "deploy"))
        await scene.ready.line()
        for run in (second, third):
            event = await scene.executor.trigger_rollback(run.id, "deploy")
            assert event.status is RollbackStatus.SUCCEEDED
        scene.gate.open()


async def test_what_an_executor_left_that_died_holds_nothing_and_does_not_go_on_beside_another(
    scene: Scene,
) -> None:
    idempotent = {"idempotent": True}
    first = await scene.run(deploys(undo=HELD_UNDO, how=idempotent))
    second = await scene.run(deploys(undo=HELD_UNDO), name="another")
    other = scene.other("rollback", first.id, "deploy")
    await scene.ready.line()
    other.kill()
    scene.bury()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(second.id, "deploy"))
        await scene.ready.line()
        with pytest.raises(Refused, match=r"Rollback 1 cannot go on: rollback 2 .* is under way"):
            await scene.executor.resume_run(first.id)
        scene.gate.open()
    scene.gate.open()
    assert (await scene.executor.resume_run(first.id)).status is RunStatus.SUCCEEDED
    assert scene.undone() == ["2", "1"]


async def test_a_stage_that_outlives_its_executor_still_works_in_its_environment(
    scene: Scene,
) -> None:
    first = await scene.run(deploys())
    other = scene.other_run(deploys(HOLD), name="another")
    await scene.ready.line()
    other.kill()
    scene.bury(with_processes=False)
    said = (
        "'deploy' of run 2 of another .* works in 'production', though its executor died."
        " Go on with it: orchestrate-tui resume 2; or end it: orchestrate-tui cancel 2"
    )
    with pytest.raises(RollbackRefused, match=said):
        await scene.executor.trigger_rollback(first.id, "deploy")
    scene.gate.open()
    await scene.until_ended("2-deploy.1")
    assert (await scene.executor.trigger_rollback(first.id, "deploy")).status == "succeeded"


async def test_an_undo_that_outlives_its_executor_still_works_in_its_environment(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo=HELD_UNDO))
    second = await scene.run(deploys(), name="another")
    other = scene.other("rollback", first.id, "deploy")
    await scene.ready.line()
    other.kill()
    scene.bury(with_processes=False)
    said = (
        "Rollback 1 .* is under way in 'production', though its executor died."
        " Go on with it: orchestrate-tui resume 1; or end it: orchestrate-tui rollback-step 1 halt"
    )
    with pytest.raises(RollbackRefused, match=said):
        await scene.executor.trigger_rollback(second.id, "deploy")
    scene.gate.open()
    await scene.until_ended("1-deploy-rollback-1.1")
    assert (await scene.executor.trigger_rollback(second.id, "deploy")).status == "succeeded"


async def test_nobody_decides_about_a_rollback_left_in_an_environment_where_another_works(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo="exit 1"))
    second = await scene.run(deploys(undo=HELD_UNDO), name="another")
    other = scene.other("waiting", first.id, "deploy")
    await other.until(lambda: any(one.waiting_since for one in scene.rollbacks(first.id)))
    other.kill()
    scene.bury()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(second.id, "deploy"))
        await scene.ready.line()
        with pytest.raises(Refused, match=r"Rollback 1 cannot go on: rollback 2 .* is under way"):
            await scene.executor.decide_step(1, StepAction.SKIP, reason="x")
        assert scene.steps(1) == {"deploy": "failed"}
        scene.gate.open()
    await scene.executor.decide_step(1, StepAction.SKIP, reason="x")
    assert scene.rollback(first.id).status is RollbackStatus.SUCCEEDED


async def test_what_was_left_of_a_rollback_undoes_no_newer_deployment_unless_it_is_forced(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo="[ -e mended ] && echo $ORCHESTRATE_RUN_ID >>undone"))
    other = scene.other("waiting", first.id, "deploy")
    await other.until(lambda: any(one.waiting_since for one in scene.rollbacks(first.id)))
    other.kill()
    scene.bury()
    (scene.folder / "mended").touch()
    newer = await scene.run(deploys())
    said = f"would undo what others did: Run {newer.id} has deployed to 'production' since it began"
    with pytest.raises(Refused, match=said):
        await scene.executor.resume_run(first.id)
    with pytest.raises(Refused, match="rollback-step 1 halt --reason TEXT; or go on all the same"):
        await scene.executor.decide_step(1, StepAction.RETRY, reason="x")
    assert scene.steps(1) == {"deploy": "failed"}
    async with anyio.create_task_group() as tasks:
        resume = scene.executor.resume_run
        tasks.start_soon(lambda: resume(first.id, take_over="it has to go"))
        await scene.hub.until(lambda: scene.rollback(first.id).epoch == scene.executor.epoch)
        while scene.steps(1)["deploy"] == "failed":
            await anyio.lowlevel.checkpoint()
            with suppress(Refused):
                await scene.executor.decide_step(1, StepAction.RETRY, reason="mended")
    assert scene.undone() == [str(first.id)]


async def test_what_was_left_of_a_rollback_can_be_ended_or_goes_on_once_the_newer_is_gone(
    scene: Scene,
) -> None:
    first = await scene.run(deploys(undo=HELD_UNDO, how={"idempotent": True}))
    other = scene.other("rollback", first.id, "deploy")
    await scene.ready.line()
    other.kill()
    scene.bury()
    newer = await scene.run(deploys())
    with pytest.raises(Refused, match=f"Run {newer.id} has deployed"):
        await scene.executor.resume_run(first.id)
    await scene.executor.trigger_rollback(newer.id, "deploy")
    scene.gate.open()
    await scene.executor.resume_run(first.id)
    assert scene.undone() == [str(newer.id), str(first.id)]


# The breaker


async def rolls_back(scene: Scene, **settings: Any) -> int:
    """A run of a deployment that fails and is rolled back automatically."""
    how = {"task": "exit 1", "on_failure": ROLLBACK, "rollback_to": "deploy"}
    return (await scene.run(deploys(), after("test", "deploy", **how), **settings)).id


async def test_after_three_automatic_rollbacks_new_runs_are_refused_until_a_reset(
    scene: Scene,
) -> None:
    for _ in range(2):
        await rolls_back(scene)
    assert scene.history.breakers() == ()
    last = await rolls_back(scene)
    (breaker,) = scene.history.breakers()
    assert (breaker.pipeline, breaker.environment, breaker.rollbacks) == ("shop", "production", 3)
    told = [(one.kind, one.to_status) for one in scene.history.events(last)]
    assert ("breaker", "tripped") in told
    with pytest.raises(CannotStart, match=r"3 automatic rollbacks of shop in 'production'"):
        await scene.create(deploys())
    with pytest.raises(Refused, match="needs a reason"):
        await scene.executor.rule(Ruling.RESET, breaker.id, reason=" ")
    await scene.executor.rule(Ruling.RESET, breaker.id, reason="a bad disk", actor="ann")
    await rolls_back(scene)
    (known,) = scene.history.breakers(reset=True)
    assert (known.reset_by, known.reset_reason) == ("ann", "a bad disk")
    with pytest.raises(Refused, match="was reset by ann"):
        await scene.executor.rule(Ruling.RESET, breaker.id, reason="again")


async def test_a_breaker_withholds_no_rollback_and_nothing_elsewhere(scene: Scene) -> None:
    first = await scene.run(deploys())
    for _ in range(3):
        await rolls_back(scene)
    event = await scene.executor.trigger_rollback(first.id, "deploy")
    assert event.status is RollbackStatus.SUCCEEDED
    await scene.run(deploys(), name="another")
    await scene.run(deploys(), simulated=True)
    await scene.run(undone("deploy", environment="staging"))


async def test_another_number_trips_earlier_never_and_simulated_runs_do_not_count(
    scene: Scene,
) -> None:
    for most in (0, 5):
        never = (Environment(name="production", breaker=most),)
        for _ in range(2):
            await rolls_back(scene, environments=never)
    for _ in range(4):
        await rolls_back(scene, simulated=True)
    assert scene.history.breakers() == ()
    await rolls_back(scene, environments=(Environment(name="production", breaker=1),))
    assert len(scene.history.breakers()) == 1
