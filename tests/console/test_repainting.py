"""What is drawn again, and what is not because it is there already."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import RenderableType
from textual._compositor import LayoutUpdate
from textual._styles_cache import StylesCache
from textual.app import App
from textual.css.styles import RenderStyles
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.bridge import Changes
from orchestrate_tui.console.pace import Pace
from orchestrate_tui.console.rhythm import LOOKS_PER_ROUND, ROUNDS_PER_CHECK
from orchestrate_tui.console.screens import live_screen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.new_run_dialog import NewRunDialog
from orchestrate_tui.console.screens.stage_log_screen import StageLogScreen
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.line_view import LineView
from orchestrate_tui.console.widgets.log_view import LogView
from orchestrate_tui.console.widgets.run_header import RunHeader
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.console.widgets.stage_detail import StageDetail
from orchestrate_tui.console.widgets.stage_graph import StageGraphView
from orchestrate_tui.console.widgets.stage_log import StageLog
from orchestrate_tui.console.widgets.status_line import StatusLine
from orchestrate_tui.domain.status import RunStatus, StageStatus
from tests.console.scenery import Desk, Story, delivered, deployed, now, settle, shown

pytestmark = pytest.mark.anyio

LINES = 24


def drawn_runs(pilot: Pilot[Any]) -> dict[str, Strip]:
    """The lines of the list of runs as they are drawn now, by their text."""
    runs = pilot.app.screen.query_one(RunsList)
    strips = runs.render_lines(Region(0, 0, runs.outer_size.width, LINES))
    return {strip.text: strip for strip in strips if "#" in strip.text}


def arrangements(screen: Screen[Any]) -> list[Screen[Any]]:
    """It holds the screen as often as that is arranged from now on."""
    arranged: list[Screen[Any]] = []
    screen.screen_layout_refresh_signal.subscribe(screen, arranged.append)
    return arranged


def pictures(app: App[Any], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """It holds of each picture that is drawn from now on whether it is a whole one."""
    drawn: list[bool] = []
    display = app._display

    def note(screen: Screen[Any], picture: RenderableType | None) -> None:
        drawn.append(isinstance(picture, LayoutUpdate))
        display(screen, picture)

    monkeypatch.setattr(app, "_display", note)
    return drawn


async def test_a_run_that_is_scrolled_to_another_line_is_not_drawn_again(
    story: Story, desk: Desk
) -> None:
    for _ in range(2 * LINES):
        story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.press("1", "end")
        before = drawn_runs(pilot)
        pilot.app.screen.query_one(RunsList).scroll_relative(y=-3, animate=False, force=True)
        after = drawn_runs(pilot)
        both = before.keys() & after.keys()
        assert len(before) > len(both) > LINES // 2
        assert all(before[text] is after[text] for text in both)


async def test_a_pane_that_gets_the_focus_is_drawn_in_its_colours(story: Story, desk: Desk) -> None:
    story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    async with app.run_test(size=(120, LINES)) as pilot:
        (before,) = drawn_runs(pilot).values()
        await pilot.press("1")
        (after,) = drawn_runs(pilot).values()
        assert before.text == after.text
        assert before != after


async def test_one_frame_shows_the_cursor_on_a_run_and_what_there_is_of_it(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    frames = set()

    def note() -> None:
        runs, header = app.screen.query_one(RunsList), app.screen.query_one(RunHeader)
        frames.add((runs.current, *map(int, re.findall(r"#(\d+)", header._told.plain))))

    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        monkeypatch.setattr(app, "post_display_hook", note)
        await pilot.press("1", *["down"] * 3)
        assert frames == {(run_id, run_id) for run_id in (1, 2, 3, 4)}


async def test_one_frame_shows_the_selection_on_a_stage_and_what_there_is_of_it(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    frames = set()

    def note() -> None:
        graph, detail = app.screen.query_one(StageGraphView), app.screen.query_one(StageDetail)
        frames.add((graph._marked, detail._told.plain.split()[0]))

    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.press("home")
        monkeypatch.setattr(app, "post_display_hook", note)
        await pilot.press("right", "right", "left", "home")
        visited = ("build", "deploy-staging", "smoke-staging")
        assert frames == {(name, name) for name in visited}


async def test_only_the_lines_of_a_graph_that_differ_are_drawn_again(
    story: Story, desk: Desk
) -> None:
    story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        graph = app.screen.query_one(StageGraphView)
        graph.refresh_changed()
        assert not graph._repaint_regions
        graph.chosen = "smoke-staging"
        graph.refresh_changed()
        changed = graph._repaint_regions
        assert 0 < len(changed) < graph.size.height // 2
        assert {region.height for region in changed} == {1}


async def test_the_same_words_about_no_log_are_not_drawn_again(story: Story, desk: Desk) -> None:
    story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        log = app.screen.query_one(LogView)
        for path in (story.history.log_path(9, "build", 1), story.log(8, "build", "here\n")):
            assert not log._repaint_regions
            log.follow_file(path, log.empty_text)
        assert log._repaint_regions


async def test_the_lights_of_a_run_are_looked_for_when_it_was_chosen_for_a_while(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    monkeypatch.setattr(live_screen, "SETTLED_S", 3600)
    async with app.run_test(size=(120, LINES)) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        await pilot.pause()
        assert screen._lights._asked is None
        monkeypatch.setattr(live_screen, "SETTLED_S", 0)
        screen.choose_run(1)
        await settle(pilot, lambda: screen._lights._asked is not None)


async def test_the_lights_of_a_run_are_looked_for_when_the_executor_rests(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    asked, rests = asyncio.Event(), asyncio.Event()

    async def give_way(_: Pace) -> None:
        asked.set()
        await rests.wait()

    monkeypatch.setattr(live_screen, "SETTLED_S", 0)
    monkeypatch.setattr(Pace, "give_way", give_way)
    async with app.run_test(size=(120, LINES)) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        await settle(pilot, asked.is_set)
        assert screen._lights._asked is None
        rests.set()
        await settle(pilot, lambda: screen._lights._asked is not None)


async def test_what_is_kept_looks_as_if_it_was_drawn_anew(story: Story, desk: Desk) -> None:
    for _ in range(LINES):
        deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.press("1", *["down"] * LINES)
        for pane in app.screen.query(LineView):
            for widget in (pane, pane.vertical_scrollbar):
                whole = Region(0, 0, *widget.outer_size)
                kept = widget.render_lines(whole)
                widget._styles_cache = StylesCache()
                assert widget.render_lines(whole) == kept


async def test_a_scrollbar_draws_only_what_it_has_not_drawn_before(
    story: Story, desk: Desk
) -> None:
    for _ in range(2 * LINES):
        story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        runs = app.screen.query_one(RunsList)
        cells = Region(0, 0, 1, runs.size.height)
        before = {id(strip) for strip in runs.vertical_scrollbar.render_lines(cells)}
        runs.scroll_to(y=LINES // 2, animate=False, force=True)
        after = {id(strip) for strip in runs.vertical_scrollbar.render_lines(cells)}
        assert len(before) < LINES // 2
        assert before & after


async def test_a_line_that_is_drawn_again_finds_no_styles_out_again(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        runs, found = app.screen.query_one(RunsList), list[str]()
        styles = runs.get_component_styles

        def note(*names: str) -> RenderStyles:
            found.extend(names)
            return styles(*names)

        monkeypatch.setattr(runs, "get_component_styles", note)
        runs.refresh_line(0)
        drawn_runs(pilot)
        assert not found
        runs.refresh()  # as another style asks for it, its own or of what it stands in
        drawn_runs(pilot)
        assert found


async def test_other_colours_are_those_of_the_next_picture(story: Story, desk: Desk) -> None:
    story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    async with app.run_test(size=(120, LINES)) as pilot:
        ((text, before),) = drawn_runs(pilot).items()
        app.theme = "textual-light"
        await settle(pilot, lambda: drawn_runs(pilot)[text] != before)
        for old, new in zip(before, drawn_runs(pilot)[text], strict=True):
            assert old.style != new.style


async def test_a_dialog_that_started_a_run_leaves_one_picture_behind(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    monkeypatch.setattr(live_screen, "SETTLED_S", 3600)
    async with app.run_test(size=(120, LINES)) as pilot:
        below = app.screen
        await pilot.press("n")
        await settle(pilot, lambda: isinstance(app.screen, NewRunDialog))
        dialog, arranged = app.screen, arrangements(below)
        drawn = pictures(app, monkeypatch)
        dialog.dismiss(story.run())
        await settle(pilot, lambda: not dialog.is_attached)
        await pilot.pause()
    assert arranged == [below]
    whole, *others = drawn
    assert whole
    assert not any(others)


async def test_a_line_that_comes_has_the_screen_arranged_once(story: Story, desk: Desk) -> None:
    for _ in range(2 * LINES):
        story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        arranged = arrangements(app.screen)
        line = app.screen.query_one(StatusLine)
        line.tell(plain("driven by this console"))
        await settle(pilot, lambda: line.region)
        await pilot.pause()
        assert len(arranged) == 1


async def test_what_is_arranged_anew_and_drawn_whole_is_not_drawn_again(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2 * LINES):
        story.run()
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        drawn = pictures(app, monkeypatch)
        line = app.screen.query_one(StatusLine)
        line.tell(plain("driven by this console"))
        app.screen.refresh()
        await settle(pilot, lambda: line.region)
        await pilot.pause()
        whole, *others = drawn
        assert whole
        assert len(others) <= 1  # the log, which fits itself into its new place


async def test_what_another_screen_covers_is_drawn_when_that_is_left(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        line = app.screen.query_one(StatusLine)
        await pilot.press("L")
        await settle(pilot, lambda: isinstance(app.screen, StageLogScreen))
        await pilot.pause()
        drawn = pictures(app, monkeypatch)
        line.tell(plain("driven by this console"))
        for _ in range(3):
            line.refresh()
            await pilot.pause()
        assert not drawn
        await pilot.press("escape")
        await settle(pilot, lambda: "driven by this console" in shown(pilot))


async def test_what_changes_behind_a_dialog_is_drawn_once(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        below = app.screen
        runs = below.query_one(RunsList)
        await pilot.press("n")
        await settle(pilot, lambda: isinstance(app.screen, NewRunDialog))
        await pilot.pause()
        drawn = pictures(app, monkeypatch)
        runs.refresh_line(0)
        await settle(pilot, lambda: drawn)
        for _ in range(3):
            below.call_later(lambda: None)
            await pilot.pause()
        assert drawn == [False]


async def test_what_nobody_tells_is_asked_for_with_every_other_look(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        screen, asked = app.screen, list[str]()
        assert isinstance(screen, MainScreen)
        log = screen.query_one(StageLog)
        monkeypatch.setattr(log, "catch_up", lambda: asked.append("log"))
        lost_owners = story.history.lost_owners

        def look_for_deaths() -> frozenset[int | None]:
            asked.append("deaths")
            return lost_owners()

        monkeypatch.setattr(story.history, "lost_owners", look_for_deaths)
        monkeypatch.setattr(screen.pace, "is_due", lambda: True)
        rounds = ROUNDS_PER_CHECK
        for _ in range(rounds * LOOKS_PER_ROUND):
            screen._drain()
        assert (asked.count("log"), asked.count("deaths")) == (rounds, 1)
        changes = Changes(stages={run_id: ("deploy",)})
        monkeypatch.setattr(screen._bridge, "drain", lambda **_: changes)
        asked.clear()
        for _ in range(rounds):  # a stage that ends has written its last line
            screen._drain()
        assert asked == ["log"] * rounds


async def test_a_console_looks_less_often_until_something_happens(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MainScreen)
        monkeypatch.setattr(screen.pace, "is_due", lambda: True)
        assert not screen._rhythm.rests
        await settle(pilot, lambda: screen._rhythm.rests)
        story.rollback(run_id)
        await settle(pilot, lambda: not screen._rhythm.rests)


async def test_nothing_beats_in_a_list_of_runs_that_have_ended(story: Story, desk: Desk) -> None:
    deployed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, LINES)) as pilot:
        await pilot.pause()
        runs = app.screen.query_one(RunsList)
        assert runs._pulse is not None
        beats: Callable[[], bool] = runs._pulse._active.is_set
        assert not beats()
        run_id = story.run()
        story.becomes(run_id, "build", StageStatus.RUNNING)
        await settle(pilot, beats)
        story.ends(run_id, RunStatus.FAILED)
        await settle(pilot, lambda: not beats())
