from __future__ import annotations

import pytest

from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.domain.status import RunStatus, StageStatus
from tests.executor.scenery import HOLD, Scene, after, stage

pytestmark = pytest.mark.anyio


async def test_a_plain_list_runs_one_after_the_other(scene: Scene) -> None:
    plain = [Stage(name=name, agent="script", task=f"echo {name} >>notes") for name in "cab"]
    run = await scene.run(*plain)
    assert run.status is RunStatus.SUCCEEDED
    assert scene.noted("notes") == ["c", "a", "b"]


async def test_a_stage_starts_the_moment_its_own_dependencies_have_ended(scene: Scene) -> None:
    async with scene.running(
        stage("slow", HOLD), stage("quick"), after("next", "quick"), after("last", "slow", "next")
    ) as run_id:
        await scene.until(run_id, "next", StageStatus.SUCCEEDED)
        assert scene.statuses(run_id)["slow"] == "running"
        assert scene.statuses(run_id)["last"] == "pending"
        scene.gate.open()
    assert scene.ended[run_id].status is RunStatus.SUCCEEDED


async def test_what_has_no_dependencies_runs_at_the_same_time(scene: Scene) -> None:
    async with scene.running(stage("a", HOLD), stage("b", HOLD), stage("c", HOLD)):
        assert await scene.ready.lines(3) == {"a", "b", "c"}
        scene.gate.open(3)


async def test_what_starts_together_starts_at_one_moment(scene: Scene) -> None:
    run = await scene.run(stage("a"), stage("b"), after("c", "a", "b"))
    stages = {one.stage_name: one for one in scene.history.stages(run.id)}
    assert stages["a"].started_at == stages["b"].started_at
    assert stages["c"].started_at != stages["a"].started_at


async def test_a_parallel_group_shares_the_dependencies_of_its_first_member(scene: Scene) -> None:
    async with scene.running(
        Stage(name="build", agent="script", task="true"),
        Stage(name="unit", agent="script", task=HOLD),
        Stage(name="lint", agent="script", task=HOLD, parallel_with=("unit",)),
        Stage(name="ship", agent="script", task="true"),
    ) as run_id:
        assert await scene.ready.lines(2) == {"unit", "lint"}
        assert scene.statuses(run_id)["ship"] == "pending"
        scene.gate.open(2)
    assert scene.starts(run_id) == ["build", "unit", "lint", "ship"]


async def test_no_more_stages_run_at_once_than_the_pipeline_permits(scene: Scene) -> None:
    stages = [stage(name, HOLD) for name in "abcde"]
    async with scene.running(*stages, max_parallel=2) as run_id:
        for expected in range(3):
            await scene.ready.line()
            running = [
                name for name, status in scene.statuses(run_id).items() if status == "running"
            ]
            assert len(running) == 2, expected
            scene.gate.open()
        scene.gate.open(2)
    assert scene.starts(run_id) == list("abcde")


async def test_of_the_ready_ones_the_first_in_the_file_starts_first(scene: Scene) -> None:
    async with scene.running(
        after("d", "z"), after("c", "z"), stage("z", HOLD), stage("b"), max_parallel=1
    ) as run_id:
        await scene.ready.line()
        scene.gate.open()
    assert scene.starts(run_id) == ["z", "d", "c", "b"]


async def test_a_wide_diamond_ends_with_its_last_stage(scene: Scene) -> None:
    middle = [after(f"m{number}", "first", agent="nothing") for number in range(50)]
    run = await scene.run(
        stage("first"), *middle, after("last", *(one.name for one in middle)), max_parallel=50
    )
    assert run.status is RunStatus.SUCCEEDED
    assert (scene.starts(run.id)[0], scene.starts(run.id)[-1]) == ("first", "last")


async def test_every_stage_leaves_its_events_in_their_order(scene: Scene) -> None:
    run = await scene.run(stage("only"))
    changes = [(one.kind, one.from_status, one.to_status) for one in scene.history.events(run.id)]
    assert changes == [
        ("run", None, "pending"),
        ("run", "pending", "running"),
        ("stage", "pending", "running"),
        ("stage", "running", "succeeded"),
        ("run", "running", "succeeded"),
    ]
