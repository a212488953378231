"""What is drawn again, and what is not because it is there already."""

from __future__ import annotations

from typing import Any

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.widgets.runs_list import RunsList
from tests.console.scenery import Desk, Story, now

pytestmark = pytest.mark.anyio

LINES = 24


def drawn_runs(pilot: Pilot[Any]) -> dict[str, Strip]:
    """The lines of the list of runs as they are drawn now, by their text."""
    runs = pilot.app.screen.query_one(RunsList)
    strips = runs.render_lines(Region(0, 0, runs.outer_size.width, LINES))
    return {strip.text: strip for strip in strips if "#" in strip.text}


async def test_a_run_that_is_scrolled_to_another_line_is_not_drawn_again(
    story: Story, desk: Desk
) -> None:
    for _ in range(2 * LINES):
        story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(120, LINES)) as pilot:
        await pilot.press("1", "end")
        before = drawn_runs(pilot)
        pilot.app.screen.query_one(RunsList).scroll_relative(y=-3, animate=False, force=True)
        after = drawn_runs(pilot)
        both = before.keys() & after.keys()
        assert len(before) > len(both) > LINES // 2
        assert all(before[text] is after[text] for text in both)


async def test_a_pane_that_gets_the_focus_is_drawn_in_its_colours(story: Story, desk: Desk) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(120, LINES)) as pilot:
        (before,) = drawn_runs(pilot).values()
        await pilot.press("1")
        (after,) = drawn_runs(pilot).values()
        assert before.text == after.text
        assert before != after
