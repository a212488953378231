"""The light beside each stage of the graph: could it be undone now?"""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.lights import lights
from orchestrate_tui.console.looking import Looking
from orchestrate_tui.console.screens import readiness_screen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Snapshot, Undo
from orchestrate_tui.domain.readiness import Light, Readiness
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.executor.readiness import run_readiness
from orchestrate_tui.store.history import History
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
    looking = Looking(story.history, lights, monotonic=lambda: moment)
    assert looking.is_due(run_id)
    assert looking.look(run_id).result() == {
        "deploy-staging": Light.READY,
        "deploy-prod": Light.NOT_READY,
    }
    assert not looking.is_due(run_id)
    assert looking.is_due(run_id + 1)
    story.releases(run_id, "deploy-prod", "1.0")
    assert looking.is_due(run_id)
    looking.close()


def test_after_a_long_look_it_rests(story: Story) -> None:
    run_id, moments = deployed(story), iter([0.0, 2.0, 21.0, 23.0])
    looking = Looking(story.history, lights, monotonic=lambda: next(moments))
    looking.look(run_id).result()
    story.releases(run_id, "deploy-prod", "1.0")
    assert not looking.is_due(run_id)
    assert looking.is_due(run_id)
    looking.close()


def test_a_snapshot_that_is_gone_puts_the_light_out(story: Story) -> None:
    kept = replace(LIT.stages[1], snapshot=Snapshot(paths=("conf",)))
    run_id = story.run(replace(LIT, stages=(LIT.stages[0], kept)))
    story.becomes(run_id, "deploy-staging", StageStatus.RUNNING, StageStatus.SUCCEEDED)
    looking = Looking(story.history, lights)
    assert looking.look(run_id).result() == {"deploy-staging": Light.NOT_READY}
    looking.close()


async def test_one_can_go_on_while_all_stages_are_looked_at(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a hundred thousand files to look for."""
    deployed(story)
    begun, free = Event(), Event()

    def slow(history: History, run_id: int) -> tuple[Readiness, ...]:
        begun.set()
        free.wait(3)
        return run_readiness(history, run_id)

    monkeypatch.setattr(readiness_screen, "run_readiness", slow)
    async with OrchestrateApp(story.history, clock=now).run_test() as pilot:
        await pilot.press("i")
        await settle(pilot, begun.is_set)
        assert "Looking at the stages" in shown(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, MainScreen)
        await pilot.press("i")
        free.set()
        await settle(pilot, lambda: "stages with effects can be undone" in shown(pilot))


def test_what_is_looked_at_is_not_asked_for_once_more(story: Story) -> None:
    run_id, free = deployed(story), Event()
    looking = Looking(story.history, lambda *_: free.wait(10))
    found = looking.look(run_id)
    story.releases(run_id, "deploy-prod", "1.0")
    assert not looking.is_due(run_id)
    assert looking.is_due(run_id + 1)
    free.set()
    assert found.result()
    looking.close()
