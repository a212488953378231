"""Releases: what is recorded of them, and what an undo is told of the one before."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrate_tui.domain.pipeline import Agent, AgentKind, Undo
from orchestrate_tui.domain.release import Release
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from tests.executor.scenery import ROLLBACK, SCRIPT, Scene, after, stage

pytestmark = pytest.mark.anyio

SHELL = Agent(
    name="shell", kind=AgentKind.SHELL, shell='echo "$ORCHESTRATE_PREVIOUS_PATH" >>undone'
)
PATH = "echo path=/srv/$ORCHESTRATE_RUN_ID >>$ORCHESTRATE_OUTPUT"
BACK = "echo ${previous.path} >>undone"


def version(text: str) -> TriggerContext:
    return TriggerContext(variables=(("version", text),))


async def deploy(scene: Scene, of: str = "", *, undo: str = BACK, **settings: Any) -> Run:
    """A run that deploys to production, of a version if there is one."""
    shop = stage(
        "deploy",
        settings.pop("task", PATH),
        environment=settings.pop("environment", "production"),
        rollback=Undo(task=undo, agent=settings.pop("undoer", None)),
    )
    trigger = version(of) if of else TriggerContext()
    agents = (SCRIPT, SHELL)
    return await scene.run(shop, trigger=trigger, agents=agents, **settings)


def releases(scene: Scene) -> tuple[Release, ...]:
    return scene.history.releases()


async def test_a_stage_with_an_environment_that_succeeds_is_a_release(scene: Scene) -> None:
    run = await deploy(scene, "1.2")
    (found,) = releases(scene)
    assert (found.pipeline, found.environment, found.component) == ("shop", "production", None)
    assert (found.run_id, found.stage_name, found.version) == (run.id, "deploy", "1.2")
    assert found.definition_hash == run.definition_hash
    assert found.outputs == (("path", f"/srv/{run.id}"),)


async def test_the_version_that_a_stage_puts_out_comes_before_the_variable(scene: Scene) -> None:
    await deploy(scene, "1.2", task="echo version=1.3 >>$ORCHESTRATE_OUTPUT")
    assert releases(scene)[0].version == "1.3"


@pytest.mark.parametrize(
    "settings", [{"simulated": True}, {"environment": None}, {"task": "exit 1"}]
)
async def test_what_brings_nothing_anywhere_makes_no_release(
    scene: Scene, settings: dict[str, Any]
) -> None:
    await deploy(scene, "1.2", undo="true", **settings)
    assert releases(scene) == ()


async def test_a_release_is_in_the_chain_of_events(scene: Scene) -> None:
    run = await deploy(scene, "1.2")
    told = [event.detail for event in scene.history.events(run.id) if event.kind == "release"]
    assert told == ["1.2 in production"]


async def test_an_undo_is_told_what_was_there_before(scene: Scene) -> None:
    first, second = await deploy(scene, "1.0"), await deploy(scene, "1.1")
    plan = await scene.executor.plan_rollback(second.id, "deploy")
    (step,) = plan.steps
    assert (step.from_version, step.to_version, step.release) == ("1.1", "1.0", 1)
    assert step.task == f"echo /srv/{first.id} >>undone"
    event = await scene.executor.trigger_rollback(second.id, "deploy", plan_hash=plan.hash)
    assert event.status is RollbackStatus.SUCCEEDED
    assert scene.undone() == [f"/srv/{first.id}"]
    assert [one.undone_by for one in releases(scene)] == [event.id, None]


async def test_a_program_has_it_in_its_environment(scene: Scene) -> None:
    first, second = await deploy(scene), await deploy(scene, undoer="shell")
    await scene.executor.trigger_rollback(second.id, "deploy")
    assert scene.undone() == [f"/srv/{first.id}"]


async def test_a_release_that_was_undone_is_nothing_to_go_back_to(scene: Scene) -> None:
    runs = [await deploy(scene, undo="true"), await deploy(scene, undo="true")]
    await scene.executor.trigger_rollback(runs[1].id, "deploy")
    third = await deploy(scene)
    await scene.executor.trigger_rollback(third.id, "deploy")
    assert scene.undone() == [f"/srv/{runs[0].id}"]


async def test_what_was_deployed_later_is_nothing_to_go_back_to(scene: Scene) -> None:
    runs = [await deploy(scene) for _ in range(3)]
    await scene.executor.trigger_rollback(runs[1].id, "deploy", reason="x", force=True)
    assert scene.undone() == [f"/srv/{runs[0].id}"]


@pytest.mark.parametrize("undoer", [None, "shell"])
async def test_without_an_earlier_release_the_plan_says_so(
    scene: Scene, undoer: str | None
) -> None:
    await deploy(scene, environment="staging")
    run = await deploy(scene, undoer=undoer)
    plan = await scene.executor.plan_rollback(run.id, "deploy")
    assert plan.refusal == "Stage 'deploy' has nothing to go back to: no earlier release"
    assert [(one.stage_name, one.reason) for one in plan.skipped] == [
        ("deploy", "no earlier release")
    ]


async def test_an_earlier_release_without_what_the_undo_needs_is_none(scene: Scene) -> None:
    await deploy(scene, task="true")
    run = await deploy(scene)
    plan = await scene.executor.plan_rollback(run.id, "deploy")
    assert plan.refusal == "Stage 'deploy' has nothing to go back to: release 1 has no 'path'"


async def test_an_automatic_rollback_goes_back_to_the_release_before(scene: Scene) -> None:
    shop = stage("deploy", PATH, environment="production", rollback=Undo(task=BACK))
    await scene.run(shop)
    run = await scene.run(
        shop, after("smoke", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy")
    )
    assert run.status is RunStatus.FAILED
    assert scene.undone() == ["/srv/1"]


async def test_what_a_test_made_of_a_deployment_goes_with_it(scene: Scene) -> None:
    stages = (
        stage("deploy", environment="production", rollback=Undo(task="true")),
        after("smoke", "deploy", environment="production"),
        after("mirror", "deploy", environment="elsewhere"),
    )
    run = await scene.run(*stages)
    await scene.executor.trigger_rollback(run.id, "smoke", "deploy")
    left = {one.stage_name: one.undone_by for one in releases(scene)}
    assert left == {"deploy": 1, "smoke": 1, "mirror": None}


async def test_outputs_of_other_stages_in_the_environment_fill_what_is_missing(
    scene: Scene,
) -> None:
    stages = (
        stage("deploy", PATH, environment="production"),
        after("publish", "deploy", environment="production", rollback=Undo(task=BACK)),
    )
    await scene.run(*stages)
    run = await scene.run(*stages)
    await scene.executor.trigger_rollback(run.id, "publish")
    assert scene.undone() == ["/srv/1"]


async def test_a_simulated_rollback_needs_no_release(scene: Scene) -> None:
    run = await deploy(scene, simulated=True)
    event = await scene.executor.trigger_rollback(run.id, "deploy")
    assert event.status is RollbackStatus.SUCCEEDED
