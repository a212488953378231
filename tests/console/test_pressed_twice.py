"""A button or a command that is pressed twice before its screen is gone does its work once."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest
from textual.command import CommandList
from textual.widgets import Static

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.screens.help_screen import HelpScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.problem import Problem
from orchestrate_tui.errors import Refused
from tests.console.scenery import Desk, Story, failed, now, settle, waiting

pytestmark = pytest.mark.anyio


async def test_a_dialog_closes_itself_and_nothing_below_it(story: Story, desk: Desk) -> None:
    failed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A")
        button = pilot.app.screen.query_one("#yes", ArmedButton)
        await settle(pilot, lambda: button.is_armed)
        button.press()
        button.press()
        await settle(pilot, lambda: desk.asked)
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
    assert desk.asked == [("acknowledge", 1, "")]


async def test_a_decision_is_asked_for_once(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        button = pilot.app.screen.query_one("#confirm", ArmedButton)
        await settle(pilot, lambda: button.is_armed)
        button.press()
        button.press()
        await settle(pilot, lambda: isinstance(app.screen, MainScreen))
    assert desk.asked == [("approve", run_id, "deploy-prod", "")]


async def test_an_answer_that_comes_while_its_dialog_goes_is_told_to_nobody(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(story)
    asked: Future[str] = Future()
    monkeypatch.setattr(desk, "approve", lambda *_: asked)

    class Last(Static):
        """Is there until the rest of the dialog is gone, and the executor has answered."""

        async def on_unmount(self) -> None:
            while dialog.query(Problem):  # noqa: ASYNC110  (Textual tells of it by no event)
                await asyncio.sleep(0)
            asked.set_exception(Refused("You may not decide"))
            for _ in range(10):
                await asyncio.sleep(0)

    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        dialog = app.screen
        await dialog.mount(Last())
        button = dialog.query_one("#confirm", ArmedButton)
        await settle(pilot, lambda: button.is_armed)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: button.disabled)
        await pilot.press("escape")
        await settle(pilot, asked.done)
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)


async def test_a_command_of_the_palette_is_carried_out_once(story: Story, desk: Desk) -> None:
    failed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *"signs")
        commands = app.screen.query_one(CommandList)
        await settle(pilot, lambda: commands.option_count == 1)
        await pilot.press("down")
        commands.action_select()
        commands.action_select()
        await settle(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, MainScreen))
