from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Button, Input

from orchestrate_tui.agents.left_programs import Left
from orchestrate_tui.console import asking
from orchestrate_tui.console.app import IDLE, OrchestrateApp
from orchestrate_tui.console.new_run import pipeline_files
from orchestrate_tui.console.screens.help_screen import HelpScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.new_run_dialog import NewRunDialog
from orchestrate_tui.console.screens.question import Question
from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
from orchestrate_tui.console.screens.resume_dialog import ResumeDialog
from orchestrate_tui.console.screens.rollback_dialog import RollbackDialog
from orchestrate_tui.console.screens.step_dialog import StepDialog
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.tick import Tick
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.run import Settlement, TriggerContext
from orchestrate_tui.domain.status import RollbackStatus, StepStatus
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.left_work import LeftStage
from orchestrate_tui.store.breakers import trip
from orchestrate_tui.store.rollbacks import update
from tests.console.scenery import Desk, Story, delivered, failed, now, settle, shown, waiting

pytestmark = pytest.mark.anyio

SHIP = """\
name: ship
variables: {environment: staging, version: "1"}
agents: {robot: {shell: "true"}}
stages:
  - {name: build, agent: robot, task: Build}
"""


inside_folder = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with one pipeline in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "ship.yaml").write_text(SHIP)
    (folder / "other.yaml").write_text("unrelated: true\n")
    monkeypatch.chdir(folder)
    return folder


async def armed(pilot: Pilot[Any]) -> None:
    buttons = pilot.app.screen.query(ArmedButton)
    await settle(pilot, lambda: all(button.is_armed and not button.disabled for button in buttons))


@inside_folder
async def test_a_new_run_starts_with_what_was_filled_in(story: Story, desk: Desk) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        assert "other.yaml" not in shown(pilot)
        await pilot.press("tab", "tab", *"prod")
        await pilot.press("tab", "tab", *"user=amy")
        await pilot.press("tab", *"main", "tab", *"hot,", "tab", "minus", "tab", "space")
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: desk.asked)
    [(_, name, trigger, simulated)] = desk.asked
    assert name == "ship"
    assert simulated is True
    assert trigger == TriggerContext(
        branch="main",
        labels=("hot",),
        changed=(),
        variables=(("environment", "prod"), ("user", "amy")),
    )


@inside_folder
async def test_start_pressed_twice_starts_one_run(story: Story, desk: Desk) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        await pilot.press("ctrl+s", "ctrl+s")
        await settle(pilot, lambda: not isinstance(pilot.app.screen, NewRunDialog))
    assert len(desk.asked) == 1


@inside_folder
async def test_enter_leaves_a_tick_as_it_is_and_leads_to_the_start(
    story: Story, desk: Desk
) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        tick = pilot.app.screen.query_one(Tick)
        tick.focus()
        await pilot.press("enter")
        assert not tick.value
        assert pilot.app.screen.query_one("#start").has_focus


@inside_folder
@pytest.mark.parametrize(
    ("more", "complaint"),
    [("oops", "'oops' is not NAME=VALUE"), ("a='b", "no closing quotation"), ("PATH=/", "PATH")],
)
async def test_what_keeps_a_run_from_starting_is_said(
    story: Story, desk: Desk, more: str, complaint: str
) -> None:
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        pilot.app.screen.query_one("#more", Input).value = more
        await settle(pilot, lambda: complaint in shown(pilot))
        await pilot.press("ctrl+s")
        assert desk.asked == []


async def test_a_value_from_outside_is_shown_in_its_field_and_kept_as_it_is(
    story: Story, desk: Desk, folder: Path
) -> None:
    story.run()
    hostile = SHIP.replace("environment: staging", 'environment: "\\e[2Ja\\u202eb"')
    (folder / "ship.yaml").write_text(hostile)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "␛[2Ja<U+202E>b" in shown(pilot))
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked[0][2].variables == ()


async def test_the_files_that_were_named_come_first(story: Story, desk: Desk, folder: Path) -> None:
    (folder / "zoo.yaml").write_text(SHIP.replace("name: ship", "name: zoo"))
    files = [folder / "zoo.yaml"]
    async with OrchestrateApp(story.history, desk, files=files, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "zoo: 1 stages" in shown(pilot))
    assert pipeline_files([Path("zoo.yaml"), Path("ship.yaml"), Path("zoo.yaml")], Path()) == (
        Path("zoo.yaml"),
        Path("ship.yaml"),
    )


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_command_palette_opens(story: Story, desk: Desk, key: str) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press(key)
        assert isinstance(pilot.app.screen, CommandPalette)


async def test_what_was_typed_into_a_palette_comes_to_nothing_once_it_is_closed(
    story: Story, desk: Desk
) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("colon")
        palette = pilot.app.screen
        assert isinstance(palette, CommandPalette)
        await settle(pilot, lambda: palette._list_visible)
        typed = Input.Changed(palette.query_one(Input), "run")
        palette._list_visible = False
        gone = palette.dismiss()
        palette.post_message(typed)
        await gone
        assert not [one for one in pilot.app.workers if one.is_running and one.node is palette]
        palette._list_visible = True  # as a search does that ends too late
        palette._list_visible = False
        await palette._watch__show_busy()
        await pilot.pause()
        assert not isinstance(pilot.app.screen, CommandPalette)


@inside_folder
@pytest.mark.parametrize("key", ["R", "c", "a", "n", "slash"])
async def test_messages_leave_the_buttons_of_a_dialog_in_view(
    story: Story, desk: Desk, key: str
) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press(key)
        app.notify("some news " * 20, markup=False)
        app.notify("more news " * 20, markup=False)
        await settle(pilot, lambda: "more news" in shown(pilot))
        for button in app.screen.query(Button):
            assert str(button.label) in shown(pilot)


async def test_a_broken_pipeline_file_tells_its_problems(
    story: Story, desk: Desk, folder: Path
) -> None:
    (folder / "ship.yaml").write_text("name: ''\nstages: []\n")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "Pipeline name cannot be empty" in shown(pilot))


async def test_a_file_that_is_not_offered_can_be_named(
    story: Story, desk: Desk, folder: Path
) -> None:
    (folder / "ship.yaml").rename(folder / "ship.txt")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n", *"ship.txt", "enter")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))


@inside_folder
async def test_nothing_else_is_started_while_another_file_is_being_named(
    story: Story, desk: Desk
) -> None:
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        await pilot.press("tab", *"gone.yaml", "ctrl+s")
        await settle(pilot, lambda: "Enter reads this file" in shown(pilot))
        await pilot.press("tab")
        await settle(pilot, lambda: "there is no such file" in shown(pilot))
        await pilot.press("ctrl+s", "shift+tab", *["backspace"] * 9, "tab")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
    assert desk.asked == []


@inside_folder
async def test_the_home_of_somebody_unknown_is_a_file_that_is_not_there(
    story: Story, desk: Desk
) -> None:
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        pilot.app.screen.query_one("#path").focus()
        await pilot.press(*"~nobody-at-all/x.yaml", "enter")
        await settle(pilot, lambda: "there is no such file" in shown(pilot))


def test_a_pipe_that_looks_like_a_pipeline_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert pipeline_files([], tmp_path) == ()


@inside_folder
async def test_a_refused_run_leaves_the_dialog_open(story: Story, desk: Desk) -> None:
    desk.refusal = Refused("Not today")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: "Not today" in shown(pilot))
        assert isinstance(pilot.app.screen, NewRunDialog)


@pytest.mark.parametrize(("key", "name"), [("a", "approve"), ("x", "reject")])
async def test_a_waiting_stage_is_decided_with_a_comment(
    story: Story, desk: Desk, key: str, name: str
) -> None:
    run_id = waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press(key, "shift+tab", *"fine")
        await armed(pilot)
        await pilot.press("enter", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [(name, run_id, "deploy-prod", "fine")]


async def test_what_is_typed_at_a_button_begins_the_comment(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("a")
        await armed(pilot)
        await pilot.press(*"looks", "space", *"fine", "enter", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("approve", run_id, "deploy-prod", "looks fine")]


async def test_typing_ahead_decides_nothing(story: Story, desk: Desk) -> None:
    waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("a", "enter", "x", "enter", "c", "enter")
    assert desk.asked == []


async def test_a_decision_that_is_not_answered_soon_says_so(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(story)
    monkeypatch.setattr(asking, "SOON_S", 0.01)
    asked: Future[str] = Future()
    monkeypatch.setattr(desk, "approve", lambda *_: asked)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: "There is no answer yet" in shown(pilot))
        asked.set_result("Approved")
        await settle(pilot, lambda: isinstance(app.screen, MainScreen))


async def test_a_run_whose_cancelling_is_not_answered_soon_says_so(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(story)
    monkeypatch.setattr(asking, "SOON_S", 0.01)
    asked: Future[str] = Future()
    monkeypatch.setattr(desk, "cancel", lambda *_: asked)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("c")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: "There is no answer yet" in shown(pilot))
        asked.set_result("Run 1 is being cancelled")
        await settle(pilot, lambda: "being cancelled" in shown(pilot))


@inside_folder
async def test_a_start_that_is_not_answered_soon_says_so(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = story.run()
    monkeypatch.setattr(asking, "SOON_S", 0.01)
    asked: Future[int] = Future()
    monkeypatch.setattr(desk, "start_run", lambda *_, **__: asked)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: "ship: 1 stages" in shown(pilot))
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: "There is no answer yet" in shown(pilot))
        asked.set_result(started)
        await settle(pilot, lambda: isinstance(app.screen, MainScreen))


async def test_a_decision_that_is_refused_says_why(story: Story, desk: Desk) -> None:
    waiting(story)
    desk.refusal = Refused("You (bob) may not decide")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("a")
        await armed(pilot)
        await pilot.press("tab", "enter")
        await settle(pilot, lambda: "may not decide" in shown(pilot))


async def test_a_run_is_cancelled_after_a_question(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("c", "enter")
        assert desk.asked == []
        await pilot.press("c")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("cancel", run_id)]


async def test_a_rollback_is_halted_after_a_question(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    story.rollback(run_id, status=RollbackStatus.RUNNING, waiting_since=story.at)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("H")
        assert not isinstance(pilot.app.screen, Question)
        await pilot.press("4", "H")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked[0][:2] == ("halt", 1)


def stuck(story: Story) -> int:
    """A rollback that waits for the operator because its only step failed; its id."""
    run_id = delivered(story)
    rollback_id = story.rollback(run_id, status=RollbackStatus.RUNNING, waiting_since=story.at)
    story.undoes(run_id, rollback_id, "deploy-staging")
    story.step_becomes(run_id, rollback_id, StepStatus.FAILED)
    log = story.history.undo_log_path(run_id, rollback_id, "deploy-staging", 0)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("cannot switch\n")
    return rollback_id


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ([], ("decide_step", 1, StepAction.RETRY, "mended", "deploy-staging")),
        (["down"], ("decide_step", 1, StepAction.SKIP, "mended", "deploy-staging")),
        (["down"] * 2, ("decide_step", 1, StepAction.DONE, "mended", "deploy-staging")),
        (["down"] * 3, ("halt", 1, "mended")),
    ],
)
async def test_a_failed_step_is_decided_with_keys_alone(
    story: Story, desk: Desk, keys: list[str], asked: tuple[Any, ...]
) -> None:
    stuck(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(80, 24)) as pilot:
        waits = "[D: decide]  Rollback 1 of run #1 waits: the undo of deploy-staging failed"
        assert waits in shown(pilot)
        await pilot.press("D")
        await settle(pilot, lambda: "cannot switch" in shown(pilot))
        assert "Enter next · ←→ buttons" in shown(pilot)
        await pilot.press(*keys, "enter", *"mended", "enter")
        await armed(pilot)
        assert "Decide" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [asked]


async def test_a_decision_needs_a_reason(story: Story, desk: Desk) -> None:
    stuck(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("D")
        await settle(pilot, lambda: isinstance(pilot.app.screen, StepDialog))
        confirm = pilot.app.screen.query_one("#confirm", ArmedButton)
        await pilot.press("enter", "enter", "enter")
        assert "Reason is missing" in shown(pilot)
        await pilot.press("x")
        assert "Reason is missing" not in shown(pilot)
        await settle(pilot, lambda: not confirm.disabled)
        await pilot.press("backspace")
        await settle(pilot, lambda: confirm.disabled)
    assert desk.asked == []


async def test_a_reason_is_kept_for_the_same_decision(story: Story, desk: Desk) -> None:
    stuck(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("D", "enter", *"mended", "escape")
        assert not isinstance(pilot.app.screen, StepDialog)
        await pilot.press("D")
        assert pilot.app.screen.query_one("#reason", Input).value == "mended"
        await settle(pilot, lambda: pilot.app.screen.query_one(ArmedButton).is_armed)
        await pilot.press("enter", "enter", "enter")
        await settle(pilot, lambda: desk.asked)
        await pilot.press("D")
        assert not pilot.app.screen.query_one("#reason", Input).value


async def test_the_line_goes_when_no_rollback_waits_any_more(story: Story, desk: Desk) -> None:
    rollback_id = stuck(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await settle(pilot, lambda: "waits: the undo of" in shown(pilot))
        event = story.history.rollback(rollback_id)
        story.database.write(lambda c: update(c, event.mark_failed("halted", story.at)))
        await settle(pilot, lambda: "waits: the undo of" not in shown(pilot))
        await pilot.press("D")
        assert not isinstance(pilot.app.screen, StepDialog)


async def test_a_tripped_breaker_is_shown_and_reset_with_a_reason(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    rollback_id = story.rollback(run_id, status=RollbackStatus.RUNNING)
    story.undoes(run_id, rollback_id, "deploy-staging")
    event = story.history.rollback(rollback_id)
    story.database.write(lambda c: trip(c, event, "shop-delivery", [("staging", 1)], story.at))
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "too often, new runs are refused: shop-delivery in staging" in shown(pilot)
        await pilot.press("B")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ReasonDialog))
        await pilot.press(*"disk", "enter")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("rule", Ruling.RESET, 1, "disk")]


async def test_a_run_whose_executor_died_is_resumed(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    story.dies()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "? interrupted" in shown(pilot)
        await pilot.press("u")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("resume", run_id)]


async def test_a_rollback_whose_executor_died_is_soon_seen_so_and_resumed(
    story: Story, desk: Desk
) -> None:
    run_id = failed(story)
    rollback_id = story.rollback(run_id, status=RollbackStatus.RUNNING)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(120, 40)) as pilot:
        assert "rollback running" in shown(pilot)
        assert "Resume" not in shown(pilot)
        story.dies()
        await settle(pilot, lambda: "rollback interrupted" in shown(pilot))
        assert "driven by" not in shown(pilot)
        await pilot.press("u")
        await settle(pilot, lambda: f"Rollback {rollback_id} of run #1 goes on" in shown(pilot))
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("resume", run_id)]


LOST = (
    LeftStage(stage_name="build", left=Left.RUNNING),
    LeftStage(stage_name="scan", left=Left.LOST),
    LeftStage(stage_name="deploy", left=Left.LOST),
)


async def test_what_is_lost_is_settled_before_a_run_goes_on(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    story.dies()
    desk.left[run_id] = LOST
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("u")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ResumeDialog))
        assert "build still runs and is taken back" in shown(pilot)
        confirm = pilot.app.screen.query_one("#confirm", ArmedButton)
        await pilot.press("d")
        assert confirm.disabled
        await pilot.press("enter")
        assert not confirm.has_focus
        await pilot.press("r", "enter")
        await settle(pilot, lambda: confirm.has_focus and confirm.is_armed)
        await pilot.press("enter")
        await settle(pilot, lambda: desk.asked)
    settled = {"scan": Settlement.DONE, "deploy": Settlement.RERUN}
    assert desk.asked == [("resume", run_id, settled)]


async def test_a_run_with_lost_stages_can_be_rolled_back_instead(story: Story, desk: Desk) -> None:
    run_id = waiting(story)
    story.dies()
    desk.left[run_id] = LOST
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("u")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ResumeDialog))
        await pilot.press("tab", "right", "enter")
        await settle(pilot, lambda: isinstance(pilot.app.screen, RollbackDialog))
    assert desk.asked == []


async def test_what_is_told_of_a_run_late_is_about_that_run(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = waiting(story), waiting(story)
    story.dies()
    left: Future[Any] = Future()
    monkeypatch.setattr(desk, "left_stages", lambda _: left)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("1", "down", "u", "u", "up")
        left.set_result(LOST)
        await settle(pilot, lambda: f"Resume run #{first}" in shown(pilot))
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("tab", "right", "enter")
        await settle(pilot, lambda: f"Roll back run #{first} " in shown(pilot))
    assert desk.asked == []


async def test_only_what_is_possible_is_offered(story: Story, desk: Desk) -> None:
    failed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert shown(pilot).splitlines()[-1].split() == [
            *("R", "Rollback", "n", "New", "A", "Seen", "/", "Filter", "L", "Log"),
            *("?", "Help", "q", "Quit"),
        ]


async def test_quitting_with_nothing_running_asks_nothing(story: Story, desk: Desk) -> None:
    delivered(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.return_value == IDLE


@pytest.mark.parametrize(
    ("keys", "result", "asked"),
    [
        (["enter"], None, []),
        (["right", "enter"], "leave", []),
        (["right", "right", "enter"], "cancel", [("cancel", 1)]),
    ],
)
async def test_quitting_while_something_runs_asks_what_becomes_of_it(
    story: Story, desk: Desk, keys: list[str], result: str | None, asked: list[Any]
) -> None:
    desk.runs = (waiting(story),)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test() as pilot:
        await pilot.press("q")
        assert "Still running: #1" in shown(pilot)
        await armed(pilot)
        await pilot.press(*keys)
        await pilot.pause()
    assert app.return_value == result
    assert desk.asked == asked


async def test_quitting_cancels_what_was_asked_about_and_asks_about_the_rest(
    story: Story, desk: Desk
) -> None:
    first, second = waiting(story), waiting(story)
    desk.runs = (first,)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test() as pilot:
        await pilot.press("q")
        await armed(pilot)
        desk.runs = (first, second)  # somebody else has started one
        await pilot.press("right", "right", "enter")
        await settle(pilot, lambda: "Still running: #1, #2" in shown(pilot))
        assert desk.asked == [("cancel", first)]


async def test_what_may_not_be_cancelled_keeps_the_console_open(story: Story, desk: Desk) -> None:
    desk.runs = (waiting(story),)
    desk.refusal = Refused("It is being rolled back")
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press("q")
        await armed(pilot)
        await pilot.press("right", "right", "enter")
        await settle(pilot, lambda: "It is being rolled back" in shown(pilot))
        assert app.is_running
        assert app.return_value is None


async def test_the_palette_offers_our_actions_and_no_screenshot(story: Story, desk: Desk) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test() as pilot:
        titles = [command.title for command in app.get_system_commands(pilot.app.screen)]
        assert "Roll the chosen run back" in titles
        assert not any("creenshot" in title for title in titles)


async def test_help_lists_the_keys(story: Story, desk: Desk) -> None:
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        assert "roll back" in shown(pilot)
        lines = shown(pilot).splitlines()[1:-1]
        assert [line for line in lines if line[2:3] == " "] == []  # each begins with its key
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, HelpScreen)


async def test_asking_twice_to_quit_asks_one_question(story: Story, desk: Desk) -> None:
    desk.runs = (waiting(story),)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("ctrl+q", "ctrl+c", "ctrl+q")
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("escape", "q")
        assert isinstance(pilot.app.screen, Question)
