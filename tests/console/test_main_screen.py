from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import RenderableType
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from orchestrate_tui import console
from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.bridge import Changes
from orchestrate_tui.console.screens.filter_dialog import FilterDialog
from orchestrate_tui.console.screens.log_screen import LogScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.rollback_steps import RollbackSteps
from orchestrate_tui.console.widgets.key_line import KeyLine
from orchestrate_tui.console.widgets.log_view import LogView
from orchestrate_tui.console.widgets.rollback_history import RollbackHistory
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.console.widgets.stage_graph import StageGraphView
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus, StepStatus
from tests.console.scenery import (
    Desk,
    Story,
    delivered,
    failed,
    now,
    settle,
    shown,
    stage,
    waiting,
)

pytestmark = pytest.mark.anyio

HOME = Path(console.__path__[0])


def main_screen(pilot: Pilot[Any]) -> MainScreen:
    screen = pilot.app.screen
    assert isinstance(screen, MainScreen)
    return screen


async def test_the_newest_run_opens_at_the_stage_that_waits_for_somebody(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    run_id = waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        screen = main_screen(pilot)
        assert screen.picture is not None
        assert screen.picture.run.id == run_id
        assert screen.stage_name == "deploy-prod"
        assert "0 of 2 approved, missing: team-lead, ops" in " ".join(shown(pilot).split())


class Filmed(OrchestrateApp):
    """Keeps the pictures that a terminal would be sent."""

    CSS_PATH: ClassVar = [HOME / path for path in OrchestrateApp.CSS_PATH]
    pictures: tuple[str, ...] = ()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        if renderable is not None and not self._batch_count:
            strips = screen._compositor.render_strips()
            self.pictures += ("\n".join(strip.text for strip in strips),)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_the_first_picture_is_a_whole_one(
    size: tuple[int, int], story: Story, desk: Desk
) -> None:
    small = Pipeline(name="small", stages=(stage("build"), stage("deploy", "build")))
    run_ids = [story.run(small, simulated=True) for _ in range(size[1])]
    for run_id in run_ids:
        story.ends(run_id, RunStatus.FAILED)
        for _ in range(2):
            story.rollback(run_id, status=RollbackStatus.FAILED)
    app = Filmed(story.history, desk, clock=now)
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.pictures[0] == shown(pilot)
        assert all(text in app.pictures[0] for text in (f"#{run_ids[-1]}", "4 Rollbacks", "Quit"))


async def test_a_key_typed_ahead_is_meant_for_what_will_be_shown(story: Story, desk: Desk) -> None:
    delivered(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    app.post_message(Key("left", None))
    async with app.run_test() as pilot:
        await settle(pilot, lambda: main_screen(pilot).stage_name == "deploy-prod")


async def test_the_arrow_keys_follow_the_lines_of_the_graph(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        places = []
        for key in ("home", "right", "right", "left", "down", "right"):
            await pilot.press(key)
            places.append(main_screen(pilot).stage_name)
        assert places == [
            "build",
            "deploy-staging",
            "smoke-staging",
            "deploy-staging",
            "security-scan",
            "deploy-prod",
        ]


async def test_a_stage_that_was_gone_to_is_not_left_for_one_that_begins(
    story: Story, desk: Desk
) -> None:
    run_id = story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        screen = main_screen(pilot)
        graph = screen.query_one(StageGraphView)
        graph.action_go_to(-1)  # of which the screen is told by a message
        last = graph.chosen
        story.becomes(run_id, "build", StageStatus.RUNNING, StageStatus.SUCCEEDED)
        story.becomes(run_id, "security-scan", StageStatus.RUNNING)
        assert screen.picture is not None
        screen._update_run(screen.picture)
        await pilot.pause()
        assert graph.chosen == screen.stage_name == last


async def test_who_goes_to_the_stage_that_is_shown_stays_there(story: Story, desk: Desk) -> None:
    run_id = story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        screen = main_screen(pilot)
        assert screen.stage_name == "build"
        await pilot.press("home")
        story.becomes(run_id, "build", StageStatus.RUNNING, StageStatus.SUCCEEDED)
        story.becomes(run_id, "security-scan", StageStatus.RUNNING)
        assert screen.picture is not None
        screen._update_run(screen.picture)
        assert screen.query_one(StageGraphView).chosen == screen.stage_name == "build"


async def test_arrow_keys_typed_while_a_graph_is_laid_out_count(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        graph = main_screen(pilot).query_one(StageGraphView)
        await pilot.press("home")
        graph.is_drawn = False
        await pilot.press("right", "right")
        assert graph.chosen == "build"
        graph._take_over(graph.scan)
        assert graph.chosen == "smoke-staging"


async def test_going_down_the_runs_shows_the_stages_of_each(story: Story, desk: Desk) -> None:
    first, second = failed(story), waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("1", "down")
        screen = main_screen(pilot)
        assert screen.picture is not None
        assert screen.picture.run.id == first != second
        assert "HTTP 500" in shown(pilot)
        await pilot.press("enter")
        assert isinstance(screen.focused, StageGraphView)


async def test_what_the_executor_commits_appears(story: Story) -> None:
    run_id = story.run()
    async with OrchestrateApp(story.history, None, clock=now).run_test() as pilot:
        assert "○ build" in shown(pilot)
        story.becomes(run_id, "build", StageStatus.RUNNING, StageStatus.SUCCEEDED)
        await settle(pilot, lambda: "✓ build" in shown(pilot))
        story.ends(run_id, RunStatus.FAILED, "no luck")
        await settle(pilot, lambda: "no luck" in shown(pilot))


async def test_a_stage_that_a_rollback_holds_back_waits_and_names_it(story: Story) -> None:
    first, second = delivered(story), story.run()
    rollback_id = story.rollback(first, status=RollbackStatus.RUNNING, actor="ben")
    story.undoes(first, rollback_id, "deploy-staging")
    story.becomes(second, "build", StageStatus.RUNNING, StageStatus.SUCCEEDED)
    story.becomes(second, "deploy-staging", StageStatus.RUNNING)
    async with OrchestrateApp(story.history, None, clock=now).run_test(size=(220, 40)) as pilot:
        await settle(pilot, lambda: "◐ deploy-staging" in shown(pilot))
        story.waits(second, "deploy-staging", "staging")
        await settle(pilot, lambda: "◌ deploy-staging" in shown(pilot))
        assert "◌ waits" in shown(pilot)
        assert "rollback 1 by ben of run 1 of shop-delivery is under way" in shown(pilot)
        story.step_becomes(first, rollback_id, StepStatus.SUCCEEDED)
        story.ends_rollback(rollback_id)
        story.waits(second, "deploy-staging", "staging")
        await settle(pilot, lambda: "◌" not in shown(pilot))


async def test_a_run_whose_executor_dies_is_soon_seen_as_interrupted(
    story: Story, desk: Desk
) -> None:
    waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "◐ running" in shown(pilot)
        story.dies()
        await settle(pilot, lambda: "? interrupted" in shown(pilot))


async def test_the_first_run_appears_by_itself(story: Story, desk: Desk) -> None:
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "No runs yet: n starts one" in shown(pilot)
        story.run()
        await settle(pilot, lambda: "○ build" in shown(pilot))


async def test_a_scrollbar_hides_nothing_of_a_run(story: Story, desk: Desk) -> None:
    for _ in range(9):
        failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert [line[70:79] for line in shown(pilot).splitlines()[2:5]] == ["   1m 15s"] * 3


async def test_a_wide_console_says_how_each_run_ended(story: Story, desk: Desk) -> None:
    failed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(200, 60)) as pilot:
        assert "↶✓ failed" in shown(pilot).splitlines()[2][:60]


async def test_on_a_tiny_terminal_the_chosen_stage_can_be_read(story: Story, desk: Desk) -> None:
    failed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert "✗ smoke-staging" in shown(pilot).splitlines()[4]


async def test_a_stage_without_output_says_whether_more_may_come(story: Story, desk: Desk) -> None:
    run_id = story.run()
    story.becomes(run_id, "build", StageStatus.RUNNING)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "No output yet" in shown(pilot)
        story.becomes(run_id, "build", StageStatus.SUCCEEDED)
        await settle(pilot, lambda: "It wrote nothing" in shown(pilot))


async def test_the_log_follows_until_the_operator_scrolls_up(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("home", "right", "down", "3")
        assert main_screen(pilot).stage_name == "security-scan"
        log = pilot.app.screen.query_one(LogView)
        assert "scanned layer 30" in shown(pilot)
        story.log(run_id, "security-scan", "one more\n")
        await settle(pilot, lambda: "one more" in shown(pilot))
        await pilot.press("up", "up")
        assert not log.is_following
        story.log(run_id, "security-scan", "and another\n")
        await settle(pilot, lambda: log.line_count == 32)
        assert "and another" not in shown(pilot)
        await pilot.press("end")
        await settle(pilot, lambda: "and another" in shown(pilot))


def lines_of(text: str) -> str:
    """More lines than a pane has."""
    return "".join(f"{text} {number}\n" for number in range(40))


def working(story: Story, name: str, text: str) -> int:
    """A run with a stage that works and has written more than a pane has room for."""
    run_id = story.run()
    story.becomes(run_id, name, StageStatus.RUNNING)
    story.log(run_id, name, lines_of(text))
    return run_id


def works_again(story: Story, run_id: int, name: str, text: str, attempt: int) -> None:
    """The same stage in a later attempt."""
    story.becomes(run_id, name, StageStatus.RETRYING, StageStatus.RUNNING)
    story.log(run_id, name, lines_of(text), attempt=attempt)


async def test_who_has_scrolled_up_stays_in_the_older_attempt_until_they_go_to_the_end(
    story: Story, desk: Desk
) -> None:
    name = "smoke-staging"
    run_id = working(story, name, "first")
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test() as pilot:
        await pilot.press("3", "up", "up")
        works_again(story, run_id, name, "second", attempt=2)
        await settle(pilot, lambda: "attempt 2 of 3  log of attempt 1 [3 End:" in shown(pilot))
        await pilot.press(*["down"] * 10)
        main_screen(pilot)._tick()
        assert "first 39" in shown(pilot)
        await pilot.press("L")
        assert f"{name}, attempt 1" in shown(pilot)
        await pilot.press("escape", "end")
        await settle(pilot, lambda: "second 39" in shown(pilot))
        assert "log of attempt 1" not in shown(pilot)


async def test_a_log_on_the_whole_screen_goes_on_with_the_next_attempt_unless_it_is_read(
    story: Story, desk: Desk
) -> None:
    name = "smoke-staging"
    run_id = working(story, name, "first")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("L")
        works_again(story, run_id, name, "second", attempt=2)
        await settle(pilot, lambda: "second 39" in shown(pilot))
        await pilot.press("up", "up")
        works_again(story, run_id, name, "third", attempt=3)
        await settle(pilot, lambda: f"{name}, attempt 2  [f: attempt 3]" in shown(pilot))
        assert "second 37" in shown(pilot)
        await pilot.press("f")
        await settle(pilot, lambda: f"{name}, attempt 3 " in shown(pilot))
        assert "third 39" in shown(pilot)


async def test_who_follows_a_log_goes_on_with_the_next_attempt(story: Story, desk: Desk) -> None:
    name = "smoke-staging"
    run_id = working(story, name, "first")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("3", "up", "end")
        works_again(story, run_id, name, "second", attempt=2)
        await settle(pilot, lambda: "second 39" in shown(pilot))


async def test_who_has_scrolled_up_is_not_taken_to_the_next_stage(story: Story, desk: Desk) -> None:
    run_id = working(story, "build", "compiled")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("3", "up", "up")
        story.becomes(run_id, "build", StageStatus.SUCCEEDED)
        story.becomes(run_id, "deploy-staging", StageStatus.RUNNING)
        await settle(pilot, lambda: "build  ✓ succeeded" in shown(pilot))
        assert main_screen(pilot).stage_name == "build"
        await pilot.press("end")
        await settle(pilot, lambda: main_screen(pilot).stage_name == "deploy-staging")


async def test_who_sees_the_whole_log_is_taken_to_the_next_stage(story: Story, desk: Desk) -> None:
    run_id = story.run()
    story.becomes(run_id, "build", StageStatus.RUNNING)
    story.log(run_id, "build", "compiled\n" * 20)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, 30)) as pilot:
        log = main_screen(pilot).query_one(LogView)
        await pilot.press("3", "home")
        assert log.max_scroll_y > 0
        assert not log.is_following
        await pilot.press("z")
        await settle(pilot, lambda: log.max_scroll_y == 0)
        story.becomes(run_id, "build", StageStatus.SUCCEEDED)
        story.becomes(run_id, "deploy-staging", StageStatus.RUNNING)
        await settle(pilot, lambda: main_screen(pilot).stage_name == "deploy-staging")


async def test_who_has_searched_is_taken_on_after_going_to_the_end(
    story: Story, desk: Desk
) -> None:
    run_id = story.run()
    story.becomes(run_id, "build", StageStatus.RUNNING)
    story.log(run_id, "build", "compiled\n")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        log = main_screen(pilot).query_one(LogView)
        assert await log.search("compiled")
        assert not log.is_following
        await pilot.press("3", "end")
        assert log.is_following


async def test_the_log_fills_the_screen_and_is_searched(story: Story, desk: Desk) -> None:
    waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("home", "right", "down", "L", "slash", *"LAYER", "space", "2", "enter")
        assert isinstance(pilot.app.screen, LogScreen)
        log = pilot.app.screen.query_one(LogView)
        await settle(pilot, lambda: log._found is not None)
        first = log._found
        await pilot.press("n")
        await settle(pilot, lambda: log._found != first)
        assert (log._found or 0) > (first or 0)
        await pilot.press("N")
        await settle(pilot, lambda: log._found == first)
        await pilot.press("escape")
        main_screen(pilot)


async def test_a_log_says_of_which_attempt_it_is(story: Story, desk: Desk) -> None:
    run_id = story.run()
    story.becomes(run_id, "smoke-staging", StageStatus.RUNNING, StageStatus.RETRYING)
    story.becomes(run_id, "smoke-staging", StageStatus.RUNNING)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("L")
        assert f"#{run_id} shop-delivery  smoke-staging, attempt 2" in shown(pilot)


async def test_rollbacks_tell_who_why_and_how_it_ended(story: Story, desk: Desk) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4")
        text = shown(pilot)
        assert "#1 smoke-staging → deploy-staging automatic succeeded 4s" in text
        assert "by the executor: stage 'smoke-staging' failed" in text
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, RollbackSteps)


async def test_why_a_run_failed_is_told_before_who_started_it(story: Story, desk: Desk) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(120, 40)) as pilot:
        assert "on main  stage 'smoke-staging' failed  by " in shown(pilot)


async def test_what_a_rollback_has_no_room_for_ends_with_an_ellipsis(
    story: Story, desk: Desk
) -> None:
    story.rollback(story.run(), status=RollbackStatus.FAILED, error_message="the disk is " * 9)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4")
        cut = next(line for line in shown(pilot).splitlines() if "the disk is" in line)
        assert len(cut) == 80
        assert cut.endswith("…")


async def test_only_the_rollbacks_of_the_chosen_run_are_shown_on_demand(
    story: Story, desk: Desk
) -> None:
    failed(story)
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4")
        assert "smoke-staging → deploy-staging" in shown(pilot)
        await pilot.press("o")
        assert "No rollbacks" in shown(pilot)


async def test_without_a_run_there_are_no_rollbacks_of_it(story: Story, desk: Desk) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4", "o")
        assert "smoke-staging → deploy-staging" in shown(pilot)
        await pilot.press("slash", *"other", "enter", "4")
        assert "No rollbacks" in shown(pilot)


async def test_the_cursor_stays_on_a_rollback_of_long_ago(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    for _ in range(120):
        story.rollback(run_id, status=RollbackStatus.SUCCEEDED)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4", "end", "end", "end")
        rollbacks = main_screen(pilot).query_one(RollbackHistory)
        assert rollbacks.current
        assert rollbacks.current.id == 1
        story.rollback(run_id, status=RollbackStatus.FAILED)
        await settle(pilot, lambda: rollbacks.row_count == 121)
        assert rollbacks.current.id == 1


async def test_a_filter_leaves_only_the_runs_that_were_asked_for(story: Story, desk: Desk) -> None:
    delivered(story)
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("slash", "tab", "down", "down", "down", "enter")
        assert "1 Runs: only succeeded" in shown(pilot)
        assert pilot.app.screen.query_one(RunsList).row_count == 1
        await pilot.press("slash", "tab", "tab", "enter")
        assert pilot.app.screen.query_one(RunsList).row_count == 2


SMALL = Pipeline(name="small", stages=(stage("only"),))


def chosen_run(pilot: Pilot[Any]) -> int | None:
    picture = main_screen(pilot).picture
    return picture.run.id if picture else None


def is_highlighted(runs: RunsList, row: int) -> bool:
    background = runs.ground("line--cursor").bgcolor
    return any(part.style and part.style.bgcolor == background for part in runs.render_line(row))


async def test_a_filter_chooses_the_run_under_the_cursor(story: Story, desk: Desk) -> None:
    small, _ = story.run(SMALL), delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("slash", *"small", "enter")
        assert chosen_run(pilot) == small == pilot.app.screen.query_one(RunsList).current
        assert "○ only" in shown(pilot)
        await pilot.press("c")
        assert f"Run #{small} of small stops" in shown(pilot)


async def test_a_filter_keeps_the_chosen_run_if_it_lets_it_through(
    story: Story, desk: Desk
) -> None:
    first, _, _ = delivered(story), delivered(story), failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("1", "end", "slash", "tab", "down", "down", "down", "enter")
        assert chosen_run(pilot) == first == pilot.app.screen.query_one(RunsList).current


async def test_a_filter_without_a_match_shows_no_run_and_offers_no_key_for_one(
    story: Story, desk: Desk
) -> None:
    run_id = waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("slash", *"other", "enter")
        assert "No run matches the filter" in shown(pilot)
        assert chosen_run(pilot) is None
        assert "build" not in shown(pilot)
        assert "Approve" not in shown(pilot)
        await pilot.press("R", "a", "x", "c", "2", "right", "enter", "L")
        assert main_screen(pilot).picture is None
        story.run(SMALL)
        main_screen(pilot)._take_over(Changes(everything=True))
        assert chosen_run(pilot) is None
        await pilot.press("slash", "tab", "tab", "enter")
        assert chosen_run(pilot) != run_id
        assert "○ only" in shown(pilot)


async def test_a_run_that_the_filter_no_longer_lets_through_is_not_confused_with_another(
    story: Story, desk: Desk
) -> None:
    first, second = waiting(story), waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        runs = pilot.app.screen.query_one(RunsList)
        await pilot.press("slash", "tab", "down", "down", "enter")
        assert runs.row_count == 2
        story.ends(second, RunStatus.CANCELLED)
        await settle(pilot, lambda: runs.row_count == 1)
        assert chosen_run(pilot) == second
        assert not is_highlighted(runs, 0)
        await pilot.press("up")
        assert chosen_run(pilot) == first
        assert is_highlighted(runs, 0)


async def test_a_pane_takes_the_whole_screen_and_gives_it_back(story: Story, desk: Desk) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        runs, graph = (pilot.app.screen.query_one(name) for name in ("#runs", "#graph"))
        before = graph.size
        await pilot.press("z")
        assert not runs.display
        assert graph.size.height > before.height
        await pilot.press("z")
        assert runs.display


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12), (10, 4)])
async def test_it_opens_in_a_terminal_of_any_size(
    story: Story, desk: Desk, size: tuple[int, int]
) -> None:
    waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=size) as pilot:
        for key in ("1", "2", "3", "4", "question_mark"):
            await pilot.press(key)
        assert pilot.app.is_running


async def test_the_mouse_chooses_too(story: Story, desk: Desk) -> None:
    first, _ = failed(story), waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.click(RunsList, offset=(10, 2))
        screen = main_screen(pilot)
        assert screen.picture is not None
        assert screen.picture.run.id == first
        await pilot.press("2", "home")
        await pilot.click(StageGraphView, offset=(22, 2))
        assert screen.stage_name == "deploy-staging"


async def test_a_click_on_a_key_at_the_bottom_does_what_the_key_does(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        place = shown(pilot).splitlines()[-1].index("Filter")
        await pilot.hover(KeyLine, offset=(place, 0))
        assert pilot.app.screen.query_one(KeyLine).tooltip == "Show only some runs"
        await pilot.click(KeyLine, offset=(place, 0))
        assert isinstance(pilot.app.screen, FilterDialog)


async def test_keys_that_there_is_no_room_for_are_scrolled_into_view(
    story: Story, desk: Desk
) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(30, 24)) as pilot:
        keys = pilot.app.screen.query_one(KeyLine)
        assert "Quit" not in shown(pilot)
        for _ in range(20):
            keys.on_mouse_scroll_down()
        await pilot.pause()
        assert shown(pilot).endswith("q Quit")


async def test_keys_that_change_while_their_screen_goes_are_not_looked_for(
    story: Story, desk: Desk
) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        keys = pilot.app.screen.query_one(KeyLine)
        pilot.app.screen.refresh_bindings()
        await keys.remove()
        keys.take_over()
        assert "Quit" not in shown(pilot)


async def test_boxes_and_single_rows_are_exchanged(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        before = shown(pilot)
        await pilot.press("b")
        assert ("╭──" in shown(pilot)) != ("╭──" in before)


async def test_the_last_rollback_stands_beside_the_status(story: Story, desk: Desk) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "✗ failed  1m 15s  ↶ rollback succeeded" in shown(pilot)
        assert "↶✓ failed" in shown(pilot)


async def test_a_stage_that_is_being_undone_moves(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    async with app.run_test() as pilot:
        assert "✓ deploy-prod" in shown(pilot)
        rollback_id = story.rollback(run_id, status=RollbackStatus.RUNNING)
        story.undoes(run_id, rollback_id, "deploy-prod")
        await settle(pilot, lambda: "◐ deploy-prod" in shown(pilot))
        await pilot.press("left")
        assert "◐ being undone" in shown(pilot)
        story.step_becomes(run_id, rollback_id, StepStatus.FAILED)
        await settle(pilot, lambda: "✓ deploy-prod" in shown(pilot))


async def test_thousands_of_stages_are_shown_at_once(story: Story, desk: Desk) -> None:
    stages = tuple(stage(f"s{n}", *([f"s{n - 9}"] if n > 8 else [])) for n in range(3000))
    story.run(Pipeline(name="big", stages=stages))
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("end")
        assert main_screen(pilot).stage_name == "s2999"
        assert "s2999" in shown(pilot)
