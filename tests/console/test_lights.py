"""The light beside each stage of the graph: could it be undone now?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.lights import Lights
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Snapshot, Undo
from orchestrate_tui.domain.readiness import Light
from orchestrate_tui.domain.status import StageStatus
from tests.console.scenery import DELIVERY, Story, now, settle, shown

pytestmark = pytest.mark.anyio

DEPLOYER = Agent(name="deployer", kind=AgentKind.SHELL, shell="true")
NEEDS_RELEASE = Undo(task="Back to ${previous.version}")
LIT = replace(
    DELIVERY,
    agents=(DEPLOYER,),
    stages=tuple(
        replace(one, rollback=NEEDS_RELEASE) if one.name == "deploy-prod" else one
        for one in DELIVERY.stages
    ),
)


def deployed(story: Story) -> int:
    """A run both of whose deployments went well; production has no release from before."""
    run_id = story.run(LIT)
    for name in ("build", "deploy-staging", "deploy-prod"):
        story.becomes(run_id, name, StageStatus.RUNNING, StageStatus.SUCCEEDED)
    return run_id


@pytest.mark.parametrize(
    ("size", "ready", "not_ready"),
    [
        ((80, 24), "✓ deploy-staging   1s ↶●", "✓ deploy-prod   1s ↶○"),
        ((220, 60), "╭ ↶● ──", "╭ ↶○ ──"),
    ],
    ids=["rows", "boxes"],
)
async def test_a_light_says_whether_a_stage_could_be_undone(
    story: Story, size: tuple[int, int], ready: str, not_ready: str
) -> None:
    run_id = deployed(story)
    async with OrchestrateApp(story.history, clock=now).run_test(size=size) as pilot:
        await pilot.press("2", "end")
        await settle(pilot, lambda: not_ready in shown(pilot))
        await pilot.press("home")
        await settle(pilot, lambda: ready in shown(pilot))
        assert shown(pilot).count("↶") <= 2  # nothing to say of what has no effects
        story.takes_back(run_id, "deploy-prod")
        await pilot.press("end")
        await settle(pilot, lambda: "↶ deploy-prod" in shown(pilot))
        await settle(pilot, lambda: not_ready not in shown(pilot))


async def test_the_lights_are_those_of_the_run_that_is_shown(story: Story) -> None:
    deployed(story)
    story.run(LIT)
    async with OrchestrateApp(story.history, clock=now).run_test(size=(220, 60)) as pilot:
        await pilot.app.workers.wait_for_complete()
        assert "↶●" not in shown(pilot)
        await pilot.press("1", "down")
        await settle(pilot, lambda: "↶●" in shown(pilot))


def test_nothing_is_looked_for_again_unless_something_was_committed(story: Story) -> None:
    run_id, moment = deployed(story), 100.0
    lights = Lights(story.history, monotonic=lambda: moment)
    assert lights.is_due(run_id)
    assert lights.look(run_id).result() == {
        "deploy-staging": Light.READY,
        "deploy-prod": Light.NOT_READY,
    }
    assert not lights.is_due(run_id)
    assert lights.is_due(run_id + 1)
    story.releases(run_id, "deploy-prod", "1.0")
    assert lights.is_due(run_id)
    lights.close()


def test_after_a_long_look_it_rests(story: Story) -> None:
    run_id, moments = deployed(story), iter([0.0, 2.0, 21.0, 23.0])
    lights = Lights(story.history, monotonic=lambda: next(moments))
    lights.look(run_id).result()
    story.releases(run_id, "deploy-prod", "1.0")
    assert not lights.is_due(run_id)
    assert lights.is_due(run_id)
    lights.close()


def test_a_snapshot_that_is_gone_puts_the_light_out(story: Story) -> None:
    kept = replace(LIT.stages[1], snapshot=Snapshot(paths=("conf",)))
    run_id = story.run(replace(LIT, stages=(LIT.stages[0], kept)))
    story.becomes(run_id, "deploy-staging", StageStatus.RUNNING, StageStatus.SUCCEEDED)
    lights = Lights(story.history)
    assert lights.look(run_id).result() == {"deploy-staging": Light.NOT_READY}
    lights.close()
