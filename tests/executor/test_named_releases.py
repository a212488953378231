"""Rollbacks to a release that somebody names, and by other undos than the run was started with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrate_tui.domain.pipeline import Agent, AgentKind, Pipeline, Secret, Snapshot, Undo
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RollbackStatus
from orchestrate_tui.errors import CannotStart, RollbackRefused, StalePlan
from orchestrate_tui.executor.readiness import run_readiness
from orchestrate_tui.store.definitions import encode_pipeline
from tests.executor.scenery import HOLD, ROLLBACK, SCRIPT, Scene, after, pipeline, stage

pytestmark = pytest.mark.anyio

BACK = "echo ${previous.version} >>undone"


@dataclass(frozen=True)
class File:
    """A pipeline as if it had been read from a file."""

    pipeline: Pipeline
    source: str = "the text of the file"
    file: str = "other.yaml"


def deploy(undo: str = BACK, **settings: Any) -> Any:
    return stage("deploy", environment="production", rollback=Undo(task=undo), **settings)


async def deployed(scene: Scene, *versions: str) -> None:
    for version in versions:
        trigger = TriggerContext(variables=(("version", version),))
        await scene.run(deploy(), trigger=trigger)


@pytest.mark.parametrize("named", ["1", "1.0", "golden"])
async def test_a_rollback_returns_to_the_release_that_is_named(scene: Scene, named: str) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    await scene.executor.rule(Ruling.PIN, 1)
    plan = await scene.executor.plan_rollback(3, "deploy", release=named)
    assert [(step.to_version, step.release) for step in plan.steps] == [("1.0", 1)]
    event = await scene.executor.trigger_rollback(3, "deploy", release=named, plan_hash=plan.hash)
    assert (event.status, event.release_id) == (RollbackStatus.SUCCEEDED, 1)
    assert scene.undone() == ["1.0"]


async def test_another_release_is_another_plan(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    shown = await scene.executor.plan_rollback(3, "deploy")
    with pytest.raises(StalePlan):
        await scene.executor.trigger_rollback(3, "deploy", release="1", plan_hash=shown.hash)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("7", "There is no release '7' from before run 3 in its environments"),
        ("golden", "There is no release 'golden' from before run 3 in its environments"),
        ("1.2", "There is no release '1.2' from before run 3 in its environments"),
        ("1.1", "Release 2 was undone by rollback 1"),
    ],
)
async def test_what_is_not_fit_to_return_to_is_refused(
    scene: Scene, named: str, sentence: str
) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    await scene.executor.trigger_rollback(2, "deploy", reason="x", force=True)
    for ask in (scene.executor.plan_rollback, scene.executor.trigger_rollback):
        with pytest.raises(RollbackRefused, match=sentence):
            await ask(3, "deploy", release=named)


async def test_a_quarantined_version_is_not_returned_to(scene: Scene) -> None:
    trigger = TriggerContext(variables=(("version", "1.0"),))
    await scene.run(deploy(), trigger=trigger)
    await scene.run(deploy(), trigger=trigger)
    await scene.executor.trigger_rollback(2, "deploy")
    await deployed(scene, "1.1")
    with pytest.raises(RollbackRefused, match=r"Version 1\.0 is quarantined in production"):
        await scene.executor.trigger_rollback(3, "deploy", release="1")


async def test_the_repetition_of_a_rollback_returns_to_the_same_release(scene: Scene) -> None:
    for version in ("1.0", "1.1", "1.2"):
        trigger = TriggerContext(variables=(("version", version),))
        await scene.run(deploy(f"test -e mended; {BACK}"), trigger=trigger)
    event = await scene.executor.trigger_rollback(3, "deploy", release="1")
    assert event.status is RollbackStatus.FAILED
    (scene.folder / "mended").touch()
    again = await scene.executor.trigger_rollback(3, "deploy", retry=True)
    assert (again.status, again.release_id) == (RollbackStatus.SUCCEEDED, 1)
    assert scene.undone() == ["1.0"]


async def test_another_definition_undoes_with_its_own_undos_and_agents(scene: Scene) -> None:
    run = await scene.run(stage("a", rollback=Undo(task="exit 1")), after("b", "a"))
    repaired = Agent(name="repaired", kind=AgentKind.SHELL, shell="echo repaired >>undone")
    other = pipeline(
        after("b", "a", task="not taken"),
        stage("a", "not taken", rollback=Undo(agent="repaired", task="put it back")),
        agents=(SCRIPT, repaired),
    )
    plan = await scene.executor.plan_rollback(run.id, "b", "a", definition=File(other))
    assert plan.differences == (
        "undo of a: exit 1 (script) → put it back (repaired)",
        "agent repaired: nothing → echo repaired >>undone",
    )
    event = await scene.executor.trigger_rollback(
        run.id, "b", "a", definition=File(other), plan_hash=plan.hash, actor="alice"
    )
    assert event.status is RollbackStatus.SUCCEEDED
    assert scene.undone() == ["repaired"]
    assert event.definition_hash == plan.definition != run.definition_hash
    kept = [one for one in scene.history.events(run.id) if one.kind == "definition"]
    assert [(one.actor, one.detail) for one in kept] == [("alice", plan.definition)]


async def test_a_run_keeps_its_own_undo_whatever_the_file_says_today(scene: Scene) -> None:
    run = await scene.run(stage("a", rollback=Undo(task="echo stored >>undone")))
    await scene.run(stage("a", rollback=Undo(task="echo today >>undone")))
    await scene.executor.trigger_rollback(run.id, "a")
    assert scene.undone() == ["stored"]


async def test_a_running_run_is_undone_by_another_definition(scene: Scene) -> None:
    other = pipeline(stage("a", rollback=Undo(task="echo other >>undone")))
    async with scene.running(stage("a", HOLD)) as run_id:
        await scene.ready.line()
        event = await scene.executor.trigger_rollback(run_id, "a", definition=File(other))
    assert event.status is RollbackStatus.SUCCEEDED
    assert scene.undone() == ["other"]


async def test_a_definition_of_other_stages_is_refused(scene: Scene) -> None:
    run = await scene.run(stage("a"), stage("b"))
    for ask in (scene.executor.plan_rollback, scene.executor.trigger_rollback):
        with pytest.raises(RollbackRefused) as refused:
            await ask(run.id, "a", definition=File(pipeline(stage("a"), stage("c"))))
        assert str(refused.value) == (
            "other.yaml does not fit run 1."
            " Its stages are not those of the run: it lacks b and it has also c"
        )


async def test_a_definition_with_the_same_agents_differs_only_in_settings(scene: Scene) -> None:
    run = await scene.run(stage("a", rollback=Undo(task="true"), on_failure=ROLLBACK))
    other = pipeline(stage("a", rollback=Undo(task="true", idempotent=True)))
    plan = await scene.executor.plan_rollback(run.id, "a", definition=File(other))
    assert plan.differences == ("undo of a: other settings",)


async def test_a_secret_in_another_definition_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    run = await scene.run(stage("a", rollback=Undo(task="true")), secrets=(Secret(env="TOKEN"),))
    other = pipeline(stage("a", rollback=Undo(task="echo s3cr3t-value")))
    assert "s3cr3t" in json.dumps(encode_pipeline(other)[0])
    with pytest.raises(CannotStart):
        await scene.executor.trigger_rollback(run.id, "a", definition=File(other))
    assert scene.history.rollbacks(run.id) == ()


def in_place(scene: Scene) -> list[str]:
    return [one.version for one in scene.history.releases() if one.is_current]


async def goes_back_to(scene: Scene, run_id: int) -> list[str]:
    plan = await scene.executor.plan_rollback(run_id, "deploy")
    return [step.to_version for step in plan.steps]


async def test_the_release_that_was_returned_to_is_in_place(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    await scene.executor.trigger_rollback(3, "deploy", release="1")
    assert in_place(scene) == ["1.0"]


async def test_a_run_after_it_goes_back_to_what_it_found_in_place(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    await scene.executor.trigger_rollback(3, "deploy", release="1")
    await deployed(scene, "1.3")
    assert in_place(scene) == ["1.3"]
    assert await goes_back_to(scene, 4) == ["1.0"]
    assert run_readiness(scene.history, 4)[0].release == 1
    await scene.executor.trigger_rollback(4, "deploy")
    assert in_place(scene) == ["1.0"]
    assert scene.undone() == ["1.0", "1.0"]


async def test_what_was_passed_over_still_goes_back_to_what_it_found(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1", "1.2", "1.3")
    await scene.executor.trigger_rollback(4, "deploy", release="1")
    assert await goes_back_to(scene, 3) == ["1.1"]
    assert await goes_back_to(scene, 2) == ["1.0"]


async def test_what_was_passed_over_is_returned_to_when_it_is_named(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    await scene.executor.trigger_rollback(3, "deploy", release="1")
    await deployed(scene, "1.3")
    await scene.executor.trigger_rollback(4, "deploy", release="2")
    assert in_place(scene) == ["1.1"]
    await deployed(scene, "1.4")
    assert await goes_back_to(scene, 5) == ["1.1"]


async def test_what_was_passed_over_keeps_no_rollback_back(scene: Scene) -> None:
    await deployed(scene, "0.9", "1.0", "1.1", "1.2")
    await scene.executor.trigger_rollback(4, "deploy", release="2")
    plan = await scene.executor.plan_rollback(2, "deploy")
    assert plan.newer == ""
    await scene.executor.trigger_rollback(2, "deploy")
    assert in_place(scene) == ["0.9"]


async def test_the_undo_of_an_older_run_leaves_what_it_went_back_to(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1", "1.2")
    await scene.executor.trigger_rollback(2, "deploy", reason="x", force=True)
    assert in_place(scene) == ["1.0"]
    assert await goes_back_to(scene, 3) == ["1.0"]


async def test_a_run_that_failed_may_leave_an_older_release(scene: Scene) -> None:
    await deployed(scene, "1.0", "1.1")
    await scene.run(deploy(task="exit 1"))
    await scene.executor.trigger_rollback(3, "deploy", release="1")
    assert in_place(scene) == ["1.0"]


async def test_what_tested_a_release_is_in_place_with_it(scene: Scene) -> None:
    for of in ("1.0", "1.1", "1.2"):
        trigger = TriggerContext(variables=(("version", of),))
        await scene.run(
            deploy(), after("smoke", "deploy", environment="production"), trigger=trigger
        )
    await scene.executor.trigger_rollback(3, "smoke", "deploy", release="1.0")
    assert in_place(scene) == ["1.0", "1.0"]


async def test_a_snapshot_returns_to_no_release_that_is_named(scene: Scene) -> None:
    for of in ("1.0", "1.1", "1.2"):
        trigger = TriggerContext(variables=(("version", of),))
        kept = Snapshot(paths=("content",))
        task = f"echo {of} >content"
        await scene.run(
            stage("deploy", task, environment="production", snapshot=kept), trigger=trigger
        )
    plan = await scene.executor.plan_rollback(3, "deploy", release="1.0")
    assert [step.to_version for step in plan.steps] == ["1.1"]
    assert plan.warnings == (
        "stage 'deploy' is only put back as it was before it ran: nothing returns it to release 1",
    )
    await scene.executor.trigger_rollback(3, "deploy", release="1.0")
    assert scene.noted("content") == in_place(scene) == ["1.1"]


async def test_a_repetition_returns_to_nothing_that_was_undone_meanwhile(scene: Scene) -> None:
    await deployed(scene, "0.9", "1.0")
    await scene.run(deploy("exit 1"))
    await scene.executor.trigger_rollback(3, "deploy", release="1.0")
    await scene.executor.trigger_rollback(2, "deploy", reason="x", force=True)
    with pytest.raises(RollbackRefused, match="Release 2 was undone by rollback"):
        await scene.executor.trigger_rollback(3, "deploy", retry=True)
