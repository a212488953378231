"""Rollbacks of the target alone, and those that span several environments."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.rollback_demand import RollbackDemand
from tests.executor.scenery import Scene, undone

pytestmark = pytest.mark.anyio

MIGRATE = undone("migrate", undo="test ! -e stuck && echo migrate >>undone", environment="data")
DEPLOY = undone("deploy", "true", "migrate", undo="echo deploy >>undone", environment="shop")


async def test_the_target_alone_is_undone_where_that_is_asked_for(scene: Scene) -> None:
    run = await scene.run(MIGRATE, DEPLOY)
    plan = await scene.executor.plan_rollback(run.id, "deploy", "migrate", cascade=False)
    event = await scene.executor.trigger_rollback(
        run.id, "deploy", "migrate", cascade=False, plan_hash=plan.hash
    )
    assert (event.status, event.cascade) == ("succeeded", False)
    assert event.narrowing == "migrate alone"
    assert scene.undone() == ["migrate"]
    assert scene.statuses(run.id) == {"migrate": "rolled_back", "deploy": "succeeded"}


async def test_a_repetition_reaches_no_further_than_the_first(scene: Scene) -> None:
    (scene.folder / "stuck").touch()
    run = await scene.run(MIGRATE, DEPLOY)
    await scene.executor.trigger_rollback(run.id, "deploy", "migrate", cascade=False)
    (scene.folder / "stuck").unlink()
    plan = await scene.executor.plan_rollback(run.id, "deploy", "migrate", retry=True)
    assert [step.part for step in plan.steps] == ["migrate"]
    again = await scene.executor.trigger_rollback(run.id, "deploy", "migrate", retry=True)
    assert (again.status, again.cascade) == ("succeeded", False)
    assert scene.undone() == ["migrate"]


async def test_each_step_is_recorded_with_its_environment(scene: Scene) -> None:
    run = await scene.run(MIGRATE, DEPLOY)
    event = await scene.executor.trigger_rollback(run.id, "deploy", "migrate")
    found = [(step.part, step.environment) for step in scene.step_rows(event.id)]
    assert found == [("deploy", "shop"), ("migrate", "data")]


@pytest.mark.parametrize("cascade", [True, False])
def test_another_process_is_told_how_far_to_go(cascade: bool) -> None:  # noqa: FBT001
    demand = RollbackDemand(from_stage="a", cascade=cascade)
    assert RollbackDemand.from_payload(demand.to_payload()) == demand
