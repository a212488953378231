"""The page on which a rollback is rehearsed, and where the last rehearsal is told of."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Input

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.domain.pipeline import AgentKind
from orchestrate_tui.domain.readiness import SnapshotState
from orchestrate_tui.domain.rehearsal import (
    CheckAnswer,
    RehearsalReport,
    RehearsedStep,
    WrittenUndo,
)
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.errors import Refused
from tests.console.scenery import Desk, Story, delivered, now, settle, shown

pytestmark = pytest.mark.anyio

STEP = RehearsedStep(
    stage_name="deploy-prod",
    agent="deployer",
    task="Undo production",
    restores=("conf",),
    snapshot=SnapshotState.INTACT,
    undo=WrittenUndo(
        kind=AgentKind.COMMAND,
        command=("switch", "to 1.0"),
        workdir="/srv",
        environment=(
            *(("MODE", "safe"), ("ORCHESTRATE_STAGE", "x"), ("ORCHESTRATE_SNAPSHOT_PORT", "80")),
        ),
    ),
    check=CheckAnswer.NEEDED,
)
WELL = RehearsalReport(steps=(STEP,), skipped=(("build", "nothing to undo"),))
BAD = RehearsalReport(steps=(replace(STEP, problems=("there is no program 'switch'",)),))


def app(story: Story, desk: Desk) -> OrchestrateApp:
    delivered(story)
    return OrchestrateApp(story.history, desk, clock=now)


async def test_a_rollback_is_rehearsed_from_the_keyboard(story: Story, desk: Desk) -> None:
    async with app(story, desk).run_test(size=(120, 40)) as pilot:
        await pilot.press("E")
        assert "never rehearsed" in shown(pilot)
        assert "nothing is undone" in shown(pilot)
        story.rehearses(1, WELL)
        await pilot.press("enter", "enter")
        await settle(pilot, lambda: "1. undo deploy-prod: Undo production" in shown(pilot))
        text = shown(pilot)
        assert "puts back conf (snapshot intact)" in text
        assert "$ switch 'to 1.0'" in text
        assert "MODE=safe" in text
        assert "ORCHESTRATE_SNAPSHOT_PORT=80" in text
        assert "ORCHESTRATE_STAGE" not in text
        assert "its check says that it is needed" in text
        assert "-  build: nothing to undo" in text
        assert "ago by ben, all well" in text
    assert desk.asked == [("rehearse", 1, RollbackDemand(), None)]


async def test_a_target_is_chosen_and_what_is_missing_is_shown(story: Story, desk: Desk) -> None:
    async with app(story, desk).run_test() as pilot:
        story.rehearses(1, BAD)
        await pilot.press("E", "down", "enter", "enter")
        await settle(pilot, lambda: "✗ there is no program 'switch'" in shown(pilot))
        assert "ago by ben, 1 problem" in shown(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, MainScreen)
    assert desk.asked == [("rehearse", 1, RollbackDemand(to_stage="deploy-prod"), None)]


async def test_what_was_put_together_is_rehearsed_and_can_be_rolled_back_then(
    story: Story, desk: Desk
) -> None:
    async with app(story, desk).run_test(size=(80, 24)) as pilot:
        story.rehearses(1, BAD)
        await pilot.press("R", "enter", "enter", "w")
        await settle(pilot, lambda: not pilot.app.screen.query_one("#rehearse").disabled)
        pilot.app.screen.query_one("#rehearse").focus()
        await pilot.press("enter")
        await settle(pilot, lambda: "✗ there is no program 'switch'" in shown(pilot))
        assert "Rehearse the rollback of run #1 from smoke-prod to deploy-prod" in shown(pilot)
        assert not pilot.app.screen.query_one("#targets").display
        await pilot.press("escape")
        assert pilot.app.screen.query_one("#reason", Input).value == "w"
    [(name, run_id, demand, definition)] = desk.asked
    assert (name, run_id, definition) == ("rehearse", 1, None)
    assert (demand.from_stage, demand.to_stage) == ("smoke-prod", "deploy-prod")


async def test_a_refusal_is_shown_and_it_can_be_asked_again(story: Story, desk: Desk) -> None:
    desk.refusal = Refused("Rollback 7 of run 3 is under way in 'production'")
    async with app(story, desk).run_test() as pilot:
        await pilot.press("E", "enter", "enter")
        await settle(pilot, lambda: "Rollback 7 of run 3" in shown(pilot))
        assert not pilot.app.screen.query_one("#rehearse").disabled


async def test_to_close_the_page_gives_the_rehearsal_up(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Future[int] = Future()

    def rehearse(*_: Any, **__: Any) -> Future[int]:
        return asked

    monkeypatch.setattr(desk, "rehearse", rehearse)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("E", "enter", "enter", "escape")
        assert asked.cancelled()
        assert isinstance(pilot.app.screen, MainScreen)


async def test_the_run_tells_when_it_was_rehearsed_last(story: Story, desk: Desk) -> None:
    async with app(story, desk).run_test(size=(200, 60)) as pilot:
        assert "never rehearsed" in shown(pilot)
        story.rehearses(1, BAD)
        await settle(pilot, lambda: "ago by ben, 1 problem" in shown(pilot))
        await pilot.press("i")
        await settle(pilot, lambda: "can be undone; last rehearsed" in shown(pilot))


async def test_a_console_that_only_watches_rehearses_nothing(story: Story) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, clock=now).run_test() as pilot:
        await pilot.press("E")
        assert isinstance(pilot.app.screen, MainScreen)
