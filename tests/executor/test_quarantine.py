"""A version that was rolled back stays out of its environment until somebody lets it in again."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrate_tui.domain.pipeline import Approval, OnFailure, Retry, Undo
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import CannotStart, NotFound, Refused, RollbackRefused
from tests.executor.scenery import CONTINUE, FOREVER, ROLLBACK, Scene, after, stage

pytestmark = pytest.mark.anyio

PUTS_OUT = "echo version=1.3 >>$ORCHESTRATE_OUTPUT"
REFUSAL = (
    "may not start:"
    " version 1.3 was taken back in production by rollback 1 of run 1 and is quarantined there;"
    " to let it come back: orchestrate-tui lift 1 --reason TEXT"
)


def trigger(version: str = "1.3") -> TriggerContext:
    return TriggerContext(variables=(("version", version),))


def deploy(*others: str, task: str = "true", **settings: Any) -> Any:
    given = {"environment": "production", "rollback": Undo(task="true")} | settings
    return after("deploy", *others, task=task, **given)


async def rolled_back(scene: Scene, *stages: Any, **settings: Any) -> Run:
    """A run whose deployment was taken back."""
    run = await scene.run(*(stages or (deploy(),)), **settings)
    await scene.executor.trigger_rollback(run.id, "deploy", actor="alice")
    return run


async def test_a_version_that_was_rolled_back_is_refused_before_anything_starts(
    scene: Scene,
) -> None:
    await rolled_back(scene, trigger=trigger())
    with pytest.raises(CannotStart) as refused:
        await scene.run(deploy(), trigger=trigger())
    assert str(refused.value) == (
        "Version 1.3 was taken back in production by rollback 1 of run 1 and is quarantined there."
        " Bring another one, or lift that with: orchestrate-tui lift 1 --reason TEXT"
    )
    assert not scene.exists(2)


async def test_a_version_that_the_pipeline_declares_is_one_too(scene: Scene) -> None:
    await rolled_back(scene, variables=(("version", "1.3"),))
    with pytest.raises(CannotStart):
        await scene.create(deploy(), trigger=trigger())


@pytest.mark.parametrize(
    ("stages", "settings"),
    [
        ((deploy(),), {"trigger": trigger("1.4")}),
        ((deploy(),), {}),
        ((deploy(environment="staging"),), {"trigger": trigger()}),
        ((deploy(),), {"trigger": trigger(), "name": "other"}),
        ((deploy(),), {"trigger": trigger(), "simulated": True}),
    ],
    ids=["another", "none", "elsewhere", "another pipeline", "simulated"],
)
async def test_nothing_else_is_refused(
    scene: Scene, stages: tuple[Any, ...], settings: dict[str, Any]
) -> None:
    await rolled_back(scene, trigger=trigger())
    assert (await scene.run(*stages, **settings)).status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("settings", [{"simulated": True}, {"trigger": TriggerContext()}])
async def test_nothing_is_marked_of_what_brought_no_version(
    scene: Scene, settings: dict[str, Any]
) -> None:
    await rolled_back(scene, **({"trigger": trigger()} | settings))
    assert scene.history.quarantines() == ()


async def test_a_deployment_that_failed_and_was_undone_is_marked(scene: Scene) -> None:
    await scene.run(deploy(task="exit 1", on_failure=ROLLBACK), trigger=trigger())
    (found,) = scene.history.quarantines()
    assert (found.version, found.environment, found.rollback_id) == ("1.3", "production", 1)
    assert scene.history.releases() == ()


async def test_a_stage_is_not_started_with_what_an_earlier_one_put_out(scene: Scene) -> None:
    await rolled_back(scene, trigger=trigger())
    asked = Approval(approvers=("root",))
    run = await scene.run(
        stage("build", PUTS_OUT), deploy("build", task="echo no >>noted", approval=asked)
    )
    assert run.status is RunStatus.FAILED
    assert scene.statuses(run.id) == {"build": "succeeded", "deploy": "skipped"}
    assert run.reason == f"stage 'deploy' {REFUSAL}"
    assert scene.reasons(run.id) == {"deploy": REFUSAL}
    assert scene.stage(run.id, "deploy").requested_at is None
    assert scene.noted("noted") == []


async def test_a_version_that_is_marked_while_an_approval_is_awaited_is_not_started(
    scene: Scene,
) -> None:
    asked = Approval(approvers=("root",))
    async with scene.running(deploy(approval=asked), trigger=trigger()) as run_id:
        await scene.hub.until(lambda: scene.stage(run_id, "deploy").requested_at)
        other = await scene.run(deploy(), trigger=trigger())
        await scene.executor.trigger_rollback(other.id, "deploy")
        await scene.executor.approve(run_id, "deploy", actor="root")
    assert scene.statuses(run_id) == {"deploy": "skipped"}
    assert scene.stage(run_id, "deploy").started_at is None


@pytest.mark.parametrize("how", [ROLLBACK, CONTINUE])
async def test_a_refusal_is_no_failure_and_ends_the_run(scene: Scene, how: OnFailure) -> None:
    await rolled_back(scene, trigger=trigger())
    run = await scene.run(
        stage("build", PUTS_OUT),
        deploy("build", task="echo no >>noted", on_failure=how, retry=Retry(attempts=3)),
        after("test", "deploy"),
    )
    assert (run.status, run.reason) == (RunStatus.FAILED, f"stage 'deploy' {REFUSAL}")
    assert scene.statuses(run.id) == {"build": "succeeded", "deploy": "skipped", "test": "skipped"}
    assert scene.starts(run.id) == ["build", "deploy"]
    assert (scene.rollbacks(run.id), scene.noted("noted")) == ([], [])
    with pytest.raises(RollbackRefused, match="did not run"):
        await scene.executor.trigger_rollback(run.id, "deploy")


async def test_a_stage_that_only_pretends_is_refused_too(scene: Scene) -> None:
    await rolled_back(scene, trigger=trigger())
    run = await scene.run(stage("build", PUTS_OUT), deploy("build", agent="nothing"))
    assert scene.reasons(run.id) == {"deploy": REFUSAL}


async def test_what_had_begun_is_not_tried_again_and_undone_as_the_file_says(
    scene: Scene,
) -> None:
    known = (("version", "1.3"),)
    begun = deploy(task=FOREVER, on_failure=ROLLBACK, idempotent=True)
    other = scene.other_run(begun, variables=known)
    await scene.ready.line()
    other.kill()
    scene.bury()
    await rolled_back(scene, variables=known)
    run = await scene.executor.resume_run(1)
    again = REFUSAL.replace("start", "start again").replace("run 1", "run 2")
    assert (run.status, run.reason) == (RunStatus.FAILED, f"stage 'deploy' {again}")
    assert scene.rollback(1).reason == f"stage 'deploy' failed and {again}"
    assert scene.statuses(1) == {"deploy": "rolled_back"}


async def test_a_run_whose_executor_died_after_a_refusal_ends_as_a_failed_one(
    scene: Scene,
) -> None:
    await rolled_back(scene, trigger=trigger())
    other = scene.other_run(stage("build", PUTS_OUT), deploy("build"), stage("beside", FOREVER))
    await other.until(lambda: scene.exists(2) and "deploy" in scene.reasons(2))
    await scene.ready.line()
    other.kill()
    scene.bury()
    run = await scene.executor.resume_run(2)
    assert (run.status, run.reason) == (RunStatus.FAILED, f"stage 'deploy' {REFUSAL}")


async def test_a_stage_that_puts_out_a_quarantined_version_has_failed(scene: Scene) -> None:
    await rolled_back(scene, trigger=trigger())
    run = await scene.run(deploy(task=PUTS_OUT))
    assert scene.statuses(run.id) == {"deploy": "failed"}
    assert "version 1.3 was taken back" in run.reason


async def test_a_lifted_version_comes_back_and_who_and_why_is_kept(scene: Scene) -> None:
    await rolled_back(scene, trigger=trigger())
    said = await scene.executor.rule(Ruling.LIFT, 1, reason=" it was the disk ", actor="ben")
    assert said == "Version 1.3 may be brought to production of shop again"
    assert scene.history.quarantines() == ()
    (lifted,) = scene.history.quarantines(lifted=True)
    assert (lifted.lifted_by, lifted.lift_reason) == ("ben", "it was the disk")
    told = [event for event in scene.history.events(1) if event.kind == "quarantine"]
    assert [(event.actor, event.detail) for event in told] == [
        ("", "1.3 in production"),
        ("ben", "1.3 in production lifted: it was the disk"),
    ]
    assert (await rolled_back(scene, trigger=trigger())).status is RunStatus.SUCCEEDED
    assert [one.id for one in scene.history.quarantines()] == [2]


async def test_a_quarantine_is_lifted_once_and_with_a_reason(scene: Scene) -> None:
    await rolled_back(scene, trigger=trigger())
    with pytest.raises(Refused, match="needs a reason"):
        await scene.executor.rule(Ruling.LIFT, 1, reason=" ")
    with pytest.raises(NotFound, match="no quarantine 7"):
        await scene.executor.rule(Ruling.LIFT, 7, reason="why")
    await scene.executor.rule(Ruling.LIFT, 1, reason="why", actor="ben")
    with pytest.raises(Refused, match="Quarantine 1 was lifted by ben at "):
        await scene.executor.rule(Ruling.LIFT, 1, reason="why")


async def test_one_release_of_an_environment_is_golden(scene: Scene) -> None:
    for _ in range(2):
        await scene.run(deploy())
    await scene.run(deploy(environment="staging"))
    for release_id in (1, 2, 3):
        await scene.executor.rule(Ruling.PIN, release_id, reason="works", actor="ben")
    assert [one.id for one in scene.history.releases() if one.is_golden] == [3, 2]
    with pytest.raises(Refused, match="Release 2 was pinned by ben already"):
        await scene.executor.rule(Ruling.PIN, 2)
    await scene.executor.rule(Ruling.UNPIN, 2)
    with pytest.raises(Refused, match="Release 2 is not pinned"):
        await scene.executor.rule(Ruling.UNPIN, 2)
    assert [event.detail for event in scene.history.events(1) if event.kind == "release"] == [
        "in production",
        "release 1 pinned by ben: works",
    ]


async def test_a_release_that_was_undone_is_not_pinned(scene: Scene) -> None:
    await rolled_back(scene)
    with pytest.raises(Refused, match="Release 1 was undone by rollback 1"):
        await scene.executor.rule(Ruling.PIN, 1)
