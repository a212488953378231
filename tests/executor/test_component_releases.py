"""Releases, quarantines and what is gone back to, of one component of several."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrate_tui.domain.pipeline import Stage, Undo
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.errors import CannotStart, RollbackRefused
from tests.executor.scenery import ROLLBACK, Scene, after, stage

pytestmark = pytest.mark.anyio

BOTH = ("api", "web")
BACK = Undo(task='echo "${component} ${previous.version}" >>undone')


def deploy(*components: str, undo: Undo = BACK, name: str = "deploy", task: str = "true") -> Stage:
    return stage(name, task, environment="live", components=components or BOTH, rollback=undo)


def version(text: str) -> TriggerContext:
    return TriggerContext(variables=(("version", text),))


async def run(scene: Scene, of: str, *stages: Stage, **settings: Any) -> Run:
    return await scene.run(*(stages or (deploy(),)), trigger=version(of), **settings)


def told(scene: Scene) -> set[tuple[str | None, str, bool, int | None]]:
    return {
        (one.component, one.version, one.is_current, one.undone_by)
        for one in scene.history.releases()
    }


async def test_each_component_has_its_own_release(scene: Scene) -> None:
    await run(scene, "1")
    assert told(scene) == {("api", "1", True, None), ("web", "1", True, None)}
    assert sum(one.kind == "release" for one in scene.history.events(1)) == 1


async def test_only_what_is_undone_of_a_release_is_gone_and_quarantined(scene: Scene) -> None:
    await run(scene, "1")
    await run(scene, "2")
    await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    assert told(scene) == {
        *(("api", "1", False, None), ("web", "1", True, None)),
        *(("api", "2", True, None), ("web", "2", False, 1)),
    }
    (found,) = scene.history.quarantines()
    assert (found.component, found.version, found.place) == ("web", "2", "live/web")
    assert scene.undone() == ["web 1"]


async def test_each_component_goes_back_to_what_was_there_of_it(scene: Scene) -> None:
    for of in ("1", "2", "3"):
        await run(scene, of)
        if of == "2":
            await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    plan = await scene.executor.plan_rollback(3, "deploy")
    assert [(step.part, step.to_version) for step in plan.steps] == [
        ("deploy[api]", "2"),
        ("deploy[web]", "1"),
    ]
    await scene.executor.trigger_rollback(3, "deploy")
    assert scene.undone() == ["web 1", "api 2", "web 1"]


async def test_a_component_without_an_earlier_release_has_nothing_to_go_back_to(
    scene: Scene,
) -> None:
    await run(scene, "1", deploy("api"))
    await run(scene, "2")
    plan = await scene.executor.plan_rollback(2, "deploy")
    assert [step.part for step in plan.steps] == ["deploy[api]"]
    assert [(skip.part, skip.reason) for skip in plan.skipped] == [
        ("deploy[web]", "no earlier release")
    ]
    assert plan.warnings == (
        "stage 'deploy[web]' ran and has nothing to go back to: no earlier release",
    )
    alone = await scene.executor.plan_rollback(2, "deploy", components=("web",))
    assert alone.refusal == "Stage 'deploy' has nothing to go back to: no earlier release"


async def test_what_was_brought_as_a_whole_is_what_was_there_of_each_component(
    scene: Scene,
) -> None:
    await run(scene, "1", stage("deploy", environment="live"))
    await run(scene, "2")
    plan = await scene.executor.plan_rollback(2, "deploy")
    assert {step.to_version for step in plan.steps} == {"1"}


async def test_a_quarantined_component_keeps_out_only_who_would_bring_it(scene: Scene) -> None:
    for of in ("1", "2"):
        await run(scene, of)
    await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    with pytest.raises(CannotStart, match="Version 2 was taken back in live/web by rollback 1"):
        await run(scene, "2")
    assert (await run(scene, "2", deploy("api"))).status == "succeeded"
    await scene.executor.rule(Ruling.LIFT, 1, reason="mended")
    assert (await run(scene, "2")).status == "succeeded"


async def test_a_version_that_only_turns_out_is_kept_out_by_component_too(scene: Scene) -> None:
    puts_out = "echo version=2 >>$ORCHESTRATE_OUTPUT"
    await scene.run(deploy(undo=Undo(task="true"), task=puts_out))
    await scene.executor.trigger_rollback(1, "deploy", components=("web",))
    refused = await scene.run(deploy(task=puts_out))
    assert "version 2 was taken back in live/web" in scene.reasons(refused.id)["deploy"]
    assert (await scene.run(deploy("api", task=puts_out))).status == "succeeded"


async def test_one_golden_release_for_each_component(scene: Scene) -> None:
    await run(scene, "1")
    for identity in (1, 2):
        await scene.executor.rule(Ruling.PIN, identity)
    assert [one.is_golden for one in scene.history.releases()] == [True, True]


async def test_a_named_release_is_returned_to_by_each_component(scene: Scene) -> None:
    for of in ("1", "2", "3"):
        await run(scene, of)
    await scene.executor.trigger_rollback(3, "deploy", release="1", reason="x")
    assert scene.undone() == ["api 1", "web 1"]


async def test_a_component_that_a_named_release_has_no_more_goes_back_to_the_one_before(
    scene: Scene,
) -> None:
    for of in ("v1", "v2", "v3", "v4"):
        await run(scene, of)
        if of == "v2":
            await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    plan = await scene.executor.plan_rollback(4, "deploy", release="v2")
    assert [(step.part, step.to_version) for step in plan.steps] == [
        ("deploy[api]", "v2"),
        ("deploy[web]", "v3"),
    ]


async def test_a_newer_run_that_deployed_another_component_keeps_nothing_back(
    scene: Scene,
) -> None:
    for of in ("0", "1"):
        await run(scene, of)
    await run(scene, "2", deploy("api"))
    with pytest.raises(RollbackRefused, match="Run 3 has deployed to 'live' since"):
        await scene.executor.trigger_rollback(2, "deploy")
    await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    assert scene.undone() == ["web 0"]


async def test_what_tested_a_component_is_gone_with_it(scene: Scene) -> None:
    test = after("test", "deploy", environment="live", components=BOTH)
    await run(scene, "1", deploy(), test)
    await run(scene, "2", deploy(), test)
    await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    gone = {(one.stage_name, one.component) for one in scene.history.releases() if one.undone_by}
    assert gone == {("deploy", "web"), ("test", "web")}


async def test_an_automatic_rollback_takes_every_component_back(scene: Scene) -> None:
    await run(scene, "1")
    fails = after("test", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy")
    await run(scene, "2", deploy(), fails)
    assert scene.undone() == ["api 1", "web 1"]
    assert {one.component for one in scene.history.quarantines()} == set(BOTH)
