from __future__ import annotations

import pytest

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.screens.main_screen import MainScreen
from tests.console.scenery import Story, failed, now, shown, waiting

pytestmark = pytest.mark.anyio


async def test_a_read_only_console_has_no_key_that_changes_anything(story: Story) -> None:
    failed(story)
    waiting(story)
    app = OrchestrateApp(story.history, clock=now)
    async with app.run_test() as pilot:
        assert "READ-ONLY" in shown(pilot)
        assert shown(pilot).splitlines()[-1].split() == [
            *("/", "Filter", "L", "Log", "?", "Help", "q", "Quit")
        ]
        for key in "RnaxcuTH":
            await pilot.press(key)
            assert type(app.screen) is MainScreen
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert not any(
            word in title for title in titles for word in ("Roll the", "Start", "Approve")
        )
        await pilot.press("question_mark")
        assert "roll back" not in shown(pilot)


async def test_a_read_only_console_leaves_without_a_question(story: Story) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, clock=now)
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.return_value == "idle"
