"""Components that are undone by themselves, with their own snapshots, values and logs."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.pipeline import Snapshot, Stage
from orchestrate_tui.errors import NotFound, RollbackLoop, RollbackRefused
from tests.executor.scenery import Scene, undone

pytestmark = pytest.mark.anyio

BOTH = ("api", "web")
SAY = 'echo "${component} $ORCHESTRATE_COMPONENT $ORCHESTRATE_COMPONENTS" >>undone'


def deploy(name: str = "deploy", *after: str, undo: str = SAY, task: str = "true") -> Stage:
    return undone(name, task, *after, undo=undo, components=BOTH)


async def test_a_stage_knows_its_components_and_each_undo_its_own(scene: Scene) -> None:
    run = await scene.run(deploy(task='echo "$ORCHESTRATE_COMPONENTS" >>undone'))
    event = await scene.executor.trigger_rollback(run.id, "deploy", reason="wrong")
    assert event.status == "succeeded"
    assert scene.undone() == ["api web", "api api api web", "web web api web"]
    assert scene.statuses(run.id) == {"deploy": "rolled_back"}


async def test_the_record_of_a_step_says_what_its_agent_was_told(scene: Scene) -> None:
    run = await scene.run(deploy(undo="true back ${component}"))
    event = await scene.executor.trigger_rollback(run.id, "deploy")
    tasks = [step.task for step in scene.step_rows(event.id)]
    assert tasks == ["true back api", "true back web"]


async def test_one_component_is_undone_and_then_the_other(scene: Scene) -> None:
    run = await scene.run(deploy())
    first = await scene.executor.trigger_rollback(run.id, "deploy", components=("api",))
    assert (first.status, first.components) == ("succeeded", ("api",))
    assert scene.statuses(run.id) == {"deploy": "succeeded"}
    second = await scene.executor.trigger_rollback(run.id, "deploy", components=("web",))
    assert scene.statuses(run.id) == {"deploy": "rolled_back"}
    assert [step.component for step in scene.step_rows(second.id)] == ["web"]
    assert scene.undone() == ["api api api web", "web web api web"]


async def test_a_component_is_the_target_of_one_rollback_only(scene: Scene) -> None:
    run = await scene.run(deploy())
    await scene.executor.trigger_rollback(run.id, "deploy", components=("api",))
    other, rest = "Choose another target", "Undo what is left of it with: -C web$"
    for components, hint in ((("api",), other), (("api", "web"), rest), ((), rest)):
        with pytest.raises(RollbackLoop, match=hint):
            await scene.executor.trigger_rollback(run.id, "deploy", components=components)
    await scene.executor.trigger_rollback(run.id, "deploy", components=("web",))
    with pytest.raises(RollbackLoop, match=other):
        await scene.executor.trigger_rollback(run.id, "deploy")


async def test_each_component_has_its_own_log(scene: Scene) -> None:
    run = await scene.run(deploy(undo="echo this is ${component}"))
    event = await scene.executor.trigger_rollback(run.id, "deploy")
    logs = [
        scene.history.undo_log_path(run.id, event.id or 0, f"deploy[{one}]", 1).read_text()
        for one in BOTH
    ]
    assert logs == ["this is api\n", "this is web\n"]


async def test_the_snapshot_of_one_component_is_put_back_alone(scene: Scene) -> None:
    for name in BOTH:
        (scene.folder / name).write_text(f"old {name}")
    kept = Snapshot(paths=("${component}",), values=(("was", "cat $ORCHESTRATE_COMPONENT"),))
    stage = undone(
        "deploy",
        "for one in $ORCHESTRATE_COMPONENTS; do echo new >$one; done",
        undo='echo "${snapshot.was}" >>undone',
        components=BOTH,
        snapshot=kept,
    )
    run = await scene.run(stage)
    plan = await scene.executor.plan_rollback(run.id, "deploy", components=("web",))
    assert [step.restores for step in plan.steps] == [("web",)]
    event = await scene.executor.trigger_rollback(run.id, "deploy", components=("web",))
    assert event.status == "succeeded", event.error_message
    assert (scene.folder / "api").read_text() == "new\n"
    assert (scene.folder / "web").read_text() == "old web"
    assert scene.undone() == ["old web"]


async def test_a_failed_rollback_is_tried_again_with_the_components_that_are_left(
    scene: Scene,
) -> None:
    run = await scene.run(deploy(undo="test ${component} = api || test -e fixed; " + SAY))
    first = await scene.executor.trigger_rollback(run.id, "deploy")
    assert first.error_message == "step 'deploy[web]' failed: exit code 1"
    (scene.folder / "fixed").touch()
    again = await scene.executor.trigger_rollback(run.id, "deploy", retry=True)
    assert [step.component for step in scene.step_rows(again.id)] == ["web"]
    assert scene.statuses(run.id) == {"deploy": "rolled_back"}


async def test_a_component_others_depend_on_is_undone_only_by_force(scene: Scene) -> None:
    api = undone("deploy-api", undo="echo api >>undone", components=("api",))
    web = undone("deploy-web", "true", "deploy-api", undo="echo web >>undone", components=("web",))
    run = await scene.run(api, web)
    plan = await scene.executor.plan_rollback(run.id, "deploy-api", components=("api",))
    sentence = "Stage 'deploy-web' depends on 'deploy-api', and would stay as it is"
    assert (plan.refusal, plan.hindrance) == ("", sentence)
    with pytest.raises(RollbackRefused, match=sentence):
        await scene.executor.trigger_rollback(run.id, "deploy-api", components=("api",))
    forced = await scene.executor.trigger_rollback(
        run.id, "deploy-api", components=("api",), force=True, reason="web is fine"
    )
    assert forced.status == "succeeded"
    assert scene.undone() == ["api"]


async def test_an_unknown_component_is_named_with_those_that_are_known(scene: Scene) -> None:
    run = await scene.run(deploy())
    with pytest.raises(NotFound, match=r"no component 'db'. Its components are: api, web"):
        await scene.executor.trigger_rollback(run.id, "deploy", components=("db",))


async def test_a_repetition_shows_what_is_left_of_the_chosen_components(scene: Scene) -> None:
    run = await scene.run(deploy(undo="test -e fixed && " + SAY))
    await scene.executor.trigger_rollback(run.id, "deploy", components=("web",))
    (scene.folder / "fixed").touch()
    plan = await scene.executor.plan_rollback(run.id, "deploy", retry=True)
    assert [step.part for step in plan.steps] == ["deploy[web]"]
    again = await scene.executor.trigger_rollback(run.id, "deploy", retry=True, plan_hash=plan.hash)
    assert (again.status, again.components) == ("succeeded", ("web",))


async def test_what_two_components_kept_is_put_back_for_both_or_by_force(scene: Scene) -> None:
    kept = Snapshot(paths=("conf", "${component}"))
    (scene.folder / "conf").write_text("old\n")
    run = await scene.run(undone("deploy", "echo new >conf", components=BOTH, snapshot=kept))
    with pytest.raises(RollbackRefused, match=r"was changed for 'deploy\[api\]' too"):
        await scene.executor.trigger_rollback(run.id, "deploy", components=("web",))
    assert scene.noted("conf") == ["new"]
    assert (await scene.executor.plan_rollback(run.id, "deploy")).overwrites == ()
    await scene.executor.trigger_rollback(
        run.id, "deploy", components=("web",), force=True, reason="x"
    )
    assert scene.noted("conf") == ["old"]
    assert (await scene.executor.plan_rollback(run.id, "deploy")).overwrites == ()
