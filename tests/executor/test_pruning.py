"""Pruning takes what is old, and nothing that a possible rollback still needs."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import Snapshot, Undo
from orchestrate_tui.domain.readiness import Light, SnapshotState
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.errors import RollbackRefused
from orchestrate_tui.executor.readiness import run_readiness
from orchestrate_tui.executor.snapshot_space import free_snapshots
from orchestrate_tui.store.pruning import Limits, Pruning, needed_runs, plan_pruning, prune
from tests.executor.scenery import HOLD, Scene, stage

pytestmark = pytest.mark.anyio

ALL = Limits(before=utc_now() + timedelta(days=1))


def deploy(task: str = "echo x", **settings: Any) -> Any:
    undo = Undo(task="echo ${previous.run_id} >>undone")
    return stage("deploy", task, **({"environment": "live", "rollback": undo} | settings))


async def deployed(scene: Scene, times: int, **settings: Any) -> None:
    for _ in range(times):
        await scene.run(deploy(**settings))


def pruned(scene: Scene, limits: Limits = ALL) -> list[int]:
    """The runs that are pruned now."""
    return [run.run_id for run in do(scene, limits).runs]


def do(scene: Scene, limits: Limits = ALL) -> Pruning:
    return prune(scene.executor.database, limits, "ben", utc_now())


def logs(scene: Scene, run_id: int) -> list[Path]:
    folder = scene.history.files.runs / str(run_id)
    return sorted(folder.iterdir()) if folder.exists() else []


async def test_what_is_in_place_and_what_it_would_go_back_to_stay(scene: Scene) -> None:
    await deployed(scene, 4)
    done = do(scene)
    assert [(run.run_id, run.releases) for run in done.runs] == [(1, (1,)), (2, (2,))]
    assert done.needed == (3, 4)
    assert [bool(logs(scene, run_id)) for run_id in (1, 2, 3, 4)] == [False, False, True, True]
    await scene.executor.trigger_rollback(4, "deploy")
    assert scene.undone() == ["3"]


async def test_it_is_recorded_who_pruned_what(scene: Scene) -> None:
    await deployed(scene, 3)
    size = sum(file.stat().st_size for file in logs(scene, 1))
    do(scene)
    (told,) = [event for event in scene.history.events(1) if event.kind == "prune"]
    assert (told.actor, told.detail) == ("ben", f"1 files of {size} bytes and 1 releases")
    assert scene.history.run(1).pruned_at
    assert scene.history.releases()[-1].pruned_at
    assert pruned(scene) == []


async def test_what_is_young_or_among_the_newest_stays(scene: Scene) -> None:
    await deployed(scene, 5)
    assert pruned(scene, Limits(before=utc_now() - timedelta(hours=1))) == []
    assert pruned(scene, Limits(before=ALL.before, keep=3)) == [1]
    assert pruned(scene, Limits(keep=2)) == [2]


async def test_what_a_run_that_is_kept_would_go_back_to_stays(scene: Scene) -> None:
    await deployed(scene, 4)
    assert do(scene, Limits(keep=3)).needed == (1,)
    await scene.executor.trigger_rollback(2, "deploy", reason="x", force=True)
    assert scene.undone() == ["1"]


async def test_a_run_that_was_undone_needs_nothing_to_go_back_to(scene: Scene) -> None:
    await deployed(scene, 3)
    await scene.executor.trigger_rollback(3, "deploy")
    await deployed(scene, 1)
    assert pruned(scene, Limits(keep=2)) == [1]


async def test_a_run_that_failed_may_still_go_back(scene: Scene) -> None:
    await deployed(scene, 2)
    await deployed(scene, 2, task="exit 1")
    await deployed(scene, 2)
    assert pruned(scene, Limits(keep=3)) == [1, 3]


async def test_what_was_returned_to_and_what_replaced_it_stay(scene: Scene) -> None:
    await deployed(scene, 4)
    await scene.executor.trigger_rollback(4, "deploy", release="2")
    assert do(scene).needed == (1, 2, 4)


async def test_each_component_keeps_what_it_would_go_back_to(scene: Scene) -> None:
    both = {"components": ("api", "web")}
    await deployed(scene, 2, **both)
    await scene.executor.trigger_rollback(2, "deploy", components=("web",))
    await deployed(scene, 1, **both)
    assert do(scene).needed == (1, 2, 3)


async def test_a_golden_release_stays(scene: Scene) -> None:
    await deployed(scene, 4)
    await scene.executor.rule(Ruling.PIN, 1)
    assert pruned(scene) == [2]


async def test_the_last_run_of_a_pipeline_stays_although_it_makes_no_release(
    scene: Scene,
) -> None:
    await deployed(scene, 2, environment=None, rollback=None)
    await scene.run(deploy(), simulated=True)
    assert pruned(scene) == [1, 3]


async def test_a_rollback_that_may_be_tried_again_keeps_its_run_and_what_it_goes_back_to(
    scene: Scene,
) -> None:
    broken = Undo(task="test ${previous.run_id} -lt 0")
    await deployed(scene, 1)
    await deployed(scene, 1, rollback=broken)
    await deployed(scene, 3)
    await scene.executor.trigger_rollback(2, "deploy", reason="x", force=True)
    assert pruned(scene) == [3]


async def test_a_run_under_way_and_what_it_would_go_back_to_stay(scene: Scene) -> None:
    await deployed(scene, 1)
    async with scene.running(deploy(), stage("wait", HOLD)) as run_id:
        await scene.ready.line()
        needed = scene.executor.database.read(needed_runs)
        assert {1, run_id} <= needed
        scene.gate.open()


async def test_each_environment_keeps_its_own(scene: Scene) -> None:
    await deployed(scene, 2, environment="staging")
    await deployed(scene, 3)
    assert pruned(scene) == [3]


async def test_a_release_that_was_pruned_is_not_returned_to(scene: Scene) -> None:
    await deployed(scene, 4)
    do(scene)
    with pytest.raises(RollbackRefused, match="no earlier release"):
        await scene.executor.trigger_rollback(3, "deploy", reason="x", force=True)


async def test_what_was_kept_of_a_stage_and_pruned_is_not_said_to_be_put_back(scene: Scene) -> None:
    for content in ("one", "two", "three"):
        task = f"echo {content} >content"
        undo = Undo(task="echo undone >>undone")
        await scene.run(stage("deploy", task, rollback=undo, snapshot=Snapshot(paths=("content",))))
    assert 2 in pruned(scene)
    assert free_snapshots(scene.executor.database) > 0
    (found,) = run_readiness(scene.history, 2)
    assert (found.light, found.snapshot) == (Light.NOT_READY, SnapshotState.PRUNED)
    assert found.problems == ("its snapshot is pruned",)
    with pytest.raises(RollbackRefused, match="nothing to go back to: what was kept before it was"):
        await scene.executor.trigger_rollback(2, "deploy")
    assert scene.undone() == []
    assert scene.noted("content") == ["three"]


async def test_a_look_takes_nothing(scene: Scene) -> None:
    await deployed(scene, 3)
    files = scene.history.files
    plan = scene.executor.database.read(lambda reader: plan_pruning(reader, files, ALL))
    assert [run.run_id for run in plan.runs] == [1]
    assert logs(scene, 1) == list(plan.runs[0].files)


async def test_what_a_prune_that_died_has_left_is_removed_but_not_what_came_since(
    scene: Scene,
) -> None:
    await deployed(scene, 3)
    (log,) = logs(scene, 1)
    do(scene)
    log.parent.mkdir()
    log.touch()
    later = log.with_name("deploy.1.rollback-9.log")
    later.touch()
    scene.executor.database.write(
        lambda connection: connection.execute(
            "UPDATE runs SET pruned_at = '2100-01-01T00:00:00.000000Z' WHERE id = 1"
        ).close()
    )
    os.utime(later, (5_000_000_000, 5_000_000_000))
    do(scene)
    assert logs(scene, 1) == [later]
