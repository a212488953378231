"""The page of the releases and of the versions that may not come back."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.latch import Latch
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.operator_releases import OperatorReleases
from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.release_list import ReleaseList
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.errors import Refused
from tests.console.scenery import PROTECTED, Desk, Story, delivered, now, released, settle, shown

pytestmark = pytest.mark.anyio


def app(story: Story, desk: Desk, **options: Any) -> OrchestrateApp:
    return OrchestrateApp(story.history, desk, clock=now, **options)


async def confirmed(pilot: Pilot[Any], reason: str = "") -> None:
    """Fill the dialog in and press its grave button."""
    await pilot.press(*reason, "enter")
    button = pilot.app.screen.query_one(ArmedButton)
    await settle(pilot, lambda: button.is_armed)
    await pilot.press("right", "enter")


async def test_releases_are_shown_newest_first_with_what_became_of_them(
    story: Story, desk: Desk
) -> None:
    released(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v")
        text = shown(pilot)
        assert "⊘ 1.2 in production quarantined" in text
        assert "undone by rollback 1" in text
        assert "● 1.1 in production current" in text
        assert "○ 1.0 in production earlier ★ golden" in text
        assert "ben vouches for it: fast" in text
        assert "⊘ 1.2  in production of shop-delivery" in text


async def test_without_releases_the_page_says_so(story: Story, desk: Desk) -> None:
    delivered(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "p", "l", "enter")
        assert isinstance(pilot.app.screen, OperatorReleases)
        assert "No releases yet" in shown(pilot)
        assert "No version is quarantined" in shown(pilot)


async def test_enter_goes_to_the_run_of_a_release(story: Story, desk: Desk) -> None:
    released(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "down", "down", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        assert screen.picture
        assert screen.picture.run.id == 1


async def test_a_release_is_pinned_and_another_unpinned(story: Story, desk: Desk) -> None:
    released(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "down", "p")
        await confirmed(pilot, "works")
        await settle(pilot, lambda: desk.asked)
        await pilot.press("down", "p")
        await confirmed(pilot)
        await settle(pilot, lambda: len(desk.asked) > 1)
    assert desk.asked == [("rule", Ruling.PIN, 2, "works"), ("rule", Ruling.UNPIN, 1, "")]


@pytest.mark.parametrize("way", [["v", "l"], ["v", "tab", "l"]], ids=["above", "below"])
async def test_a_quarantine_is_lifted_with_a_reason(
    story: Story, desk: Desk, way: list[str]
) -> None:
    released(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press(*way, "enter")
        assert pilot.app.screen.query_one(ArmedButton).disabled
        await confirmed(pilot, "fixed")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("rule", Ruling.LIFT, 1, "fixed")]


async def test_a_refused_ruling_leaves_the_dialog_and_the_reason(story: Story, desk: Desk) -> None:
    released(story)
    desk.refusal = Refused("It was lifted by ben")
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "l")
        await confirmed(pilot, "fixed")
        await settle(pilot, lambda: "It was lifted by ben" in shown(pilot))
        assert "fixed" in shown(pilot)
        assert not pilot.app.screen.query_one(ArmedButton).disabled


async def test_what_is_ruled_elsewhere_is_seen(story: Story, desk: Desk) -> None:
    released(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "tab")
        story.rules(Ruling.LIFT, 1, "fixed")
        await settle(pilot, lambda: "No version is quarantined" in shown(pilot))
        assert not pilot.app.screen.query_one(OptionList).display
        assert "↶ 1.2 in production undone" in shown(pilot)


async def test_the_cursor_stays_on_its_quarantine(story: Story, desk: Desk) -> None:
    released(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "tab")
        shown_ones = pilot.app.screen.query_one(OptionList)
        assert shown_ones.option_count == 1
        story.takes_back(2, "deploy-prod")
        await settle(pilot, lambda: shown_ones.option_count == 2)
        assert shown_ones.highlighted == 1
        await pilot.press("enter")
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        assert screen.picture
        assert screen.picture.run.id == 3


async def test_a_locked_console_lifts_nothing(story: Story, desk: Desk) -> None:
    released(story, PROTECTED)
    locked = app(story, desk, latch=Latch())
    async with locked.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("v", "l", "p")
        assert not isinstance(pilot.app.screen, ReasonDialog)
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
        await pilot.press("escape", "W", "v", "l", *"why", "enter")
        assert pilot.app.screen.query_one(ArmedButton).disabled
        await pilot.press(*"production", "enter")
        assert not pilot.app.screen.query_one(ArmedButton).disabled


async def test_further_releases_are_read_when_they_are_reached(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    for number in range(120):
        story.releases(run_id, "deploy-prod", f"1.{number}")
    async with app(story, desk).run_test() as pilot:
        await pilot.press("v", "end", "end", "end")
        releases = pilot.app.screen.query_one(ReleaseList)
        assert releases.current
        assert releases.current.version == "1.0"
        story.rules(Ruling.PIN, 1)
        await settle(pilot, lambda: releases.current and releases.current.is_golden)


async def test_a_light_for_each_stage_says_whether_it_could_be_undone(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    async with app(story, desk).run_test() as pilot:
        await pilot.press("i")
        await settle(pilot, lambda: "of 7 stages with effects can be undone" in shown(pilot))
        text = shown(pilot)
        assert "Could run #1 be undone?" in text
        assert "○ smoke-prod  nothing undoes it" in text
        story.takes_back(1, "deploy-prod")
        await settle(pilot, lambda: "· deploy-prod  undone by rollback 1" in shown(pilot))
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, MainScreen)
