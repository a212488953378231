"""A console that only watches: every key, command and action it has, against what is allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.app import App, get_system_commands_provider
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from textual.worker import WorkerFailed

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.screens.commands import Commands
from orchestrate_tui.console.screens.filter_dialog import FilterDialog
from orchestrate_tui.console.screens.help_screen import HelpScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.readiness_screen import ReadinessScreen
from orchestrate_tui.console.screens.releases_screen import ReleasesScreen
from orchestrate_tui.console.screens.rollback_steps import RollbackSteps
from orchestrate_tui.console.screens.stage_log_screen import StageLogScreen
from orchestrate_tui.console.watching import WATCHING_ACTIONS, WatchingApp
from tests.console.scenery import Story, failed, now, shown, waiting

pytestmark = pytest.mark.anyio

CLIPBOARD = {"copy", "copy_text", "cut", "paste"}
OUTSIDE = {"open_link", "screenshot", "suspend_process"}
OF_TEXTUAL = {
    *("add_class", "remove_class", "toggle", "toggle_class", "toggle_dark", "set_option_index"),
    *("back", "dismiss", "pop_screen", "push_screen", "switch_mode", "switch_screen"),
    *("bell", "blur", "focus", "help_quit", "notify", "simulate_key"),
    *("change_theme", "hide_help_panel", "show_help_panel", "maximize", "minimize"),
}
REFUSED = CLIPBOARD | OUTSIDE | OF_TEXTUAL
"""What Textual could do and this console does not; what is new in Textual is in neither list."""

COMMANDS = {
    *("All keys and signs", "Leave the console", "Theme"),
    *("Go to the runs", "Go to the stages", "Go to the log", "Go to the rollbacks"),
    *("Show only some runs", "The log on the whole screen", "Rollbacks of one run"),
    *("This pane on the whole screen", "Releases and quarantines", "Could this run be undone?"),
}


@asynccontextmanager
async def watching(story: Story) -> AsyncIterator[Pilot[Any]]:
    failed(story)
    waiting(story)
    async with WatchingApp(story.history, clock=now).run_test() as pilot:
        yield pilot


WAYS: dict[str, tuple[list[str], type[DOMNode]]] = {
    "runs": (["1"], MainScreen),
    "stages": (["2"], MainScreen),
    "log": (["3"], MainScreen),
    "rollbacks": (["4"], MainScreen),
    "zoomed": (["2", "z"], MainScreen),
    "one run's rollbacks": (["4", "o"], MainScreen),
    "whole log": (["L"], StageLogScreen),
    "log search": (["L", "slash"], StageLogScreen),
    "steps": (["4", "enter"], RollbackSteps),
    "releases": (["v"], ReleasesScreen),
    "readiness": (["i"], ReadinessScreen),
    "help": (["question_mark"], HelpScreen),
    "filter": (["slash"], FilterDialog),
    "filter's list": (["slash", "tab"], FilterDialog),
    "filter's button": (["slash", "tab", "tab"], FilterDialog),
    "palette": (["ctrl+p"], Commands),
    "palette by colon": (["colon"], Commands),
    "themes": (["ctrl+p", *"theme", "enter"], Commands),
}


def actions_of(node: DOMNode) -> set[str]:
    """Every action that a node has a method for."""
    prefixes = ("action_", "_action_")
    names = {name for name in dir(type(node)) if name.startswith(prefixes)}
    return {name.partition("action_")[2] for name in names}


@pytest.mark.parametrize("way", WAYS)
async def test_every_key_and_action_of_every_screen_is_known(story: Story, way: str) -> None:
    keys, screen_type = WAYS[way]
    async with watching(story) as pilot:
        await pilot.press(*keys)
        screen = pilot.app.screen
        assert type(screen) is screen_type
        bound = {
            binding.action.partition("(")[0].rpartition(".")[2]
            for node in (pilot.app, screen, *screen.query("*"))
            for _, binding in node._bindings
        }
        assert bound - WATCHING_ACTIONS - REFUSED == set()
        nodes = (pilot.app, screen, *screen.query("*"))
        methods = set().union(*map(actions_of, nodes))
        assert methods - WATCHING_ACTIONS - REFUSED == set()
        assert not WATCHING_ACTIONS & REFUSED


async def test_the_palette_offers_no_command_but_these(story: Story) -> None:
    async with watching(story) as pilot:
        app = pilot.app
        assert {get_system_commands_provider} == app.COMMANDS == App.COMMANDS
        assert not app.screen.COMMANDS
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert titles == COMMANDS
        await pilot.press("ctrl+p")
        offered = app.screen.query_one(OptionList)
        assert {str(option.prompt).splitlines()[0] for option in offered.options} == titles


@pytest.mark.parametrize("target", ["app", "screen", "focused"])
async def test_an_action_that_is_not_known_is_not_carried_out(story: Story, target: str) -> None:
    async with watching(story) as pilot:
        done: list[str] = []
        node: Any = {"app": pilot.app, "screen": pilot.app.screen, "focused": pilot.app.focused}
        node[target].action_explode = lambda: done.append("explode")
        assert not await pilot.app.run_action(f"{target}.explode")
        assert not await pilot.app.run_action(("", "explode", ()), node[target])
        for name in REFUSED:
            assert not await pilot.app.run_action(f"{target}.{name}")
        assert done == []


REACHING: dict[str, Callable[[App[Any]], object]] = {
    "clipboard": lambda app: app.copy_to_clipboard("secret"),
    "link": lambda app: app.open_url("http://127.0.0.1/"),
    "screenshot": lambda app: app.save_screenshot("picture.svg"),
    "delivered screenshot": lambda app: app.deliver_screenshot("picture.svg"),
    "delivered text": lambda app: app.deliver_text("/etc/hostname"),
    "delivered bytes": lambda app: app.deliver_binary("/etc/hostname"),
}


@pytest.mark.parametrize("reach", REACHING)
async def test_nothing_reaches_beyond_the_screen(
    story: Story, reach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(story) as pilot:
        driver: Any = pilot.app._driver
        reached: list[object] = []
        for name in ("write", "open_url", "deliver_binary"):
            monkeypatch.setattr(driver, name, lambda *words, **_: reached.append(words))
        monkeypatch.setattr("builtins.open", lambda *words, **_: reached.append(words))
        REACHING[reach](pilot.app)
        assert reached == []
        monkeypatch.undo()


async def test_a_click_on_markup_runs_nothing(story: Story) -> None:
    async with watching(story) as pilot:
        trap = Static("[@click=app.copy_to_clipboard('x')]xxx[/] [@click=app.bell]yyy[/]")
        rung: list[str] = []
        pilot.app.bell = lambda: rung.append("bell")  # type: ignore[method-assign]
        await pilot.app.screen.mount(trap, before=0)
        for x in range(7):
            await pilot.click(trap, offset=(x, 0))
        assert rung == []


async def test_text_cannot_be_selected(story: Story) -> None:
    async with watching(story) as pilot:
        await pilot.mouse_down(offset=(2, 3))
        await pilot.hover(offset=(30, 12))
        await pilot.mouse_up(offset=(30, 12))
        assert pilot.app.screen.get_selected_text() is None


async def test_what_is_written_into_the_filter_cannot_be_copied(story: Story) -> None:
    async with watching(story) as pilot:
        await pilot.press("slash", *"shop", "shift+home")
        assert pilot.app.screen.query_one(Input).selected_text == "shop"
        await pilot.press("super+c", "ctrl+x")
        assert pilot.app.clipboard == ""
        assert pilot.app.screen.query_one(Input).value == "shop"


async def test_the_footer_has_no_key_that_changes_anything(story: Story) -> None:
    async with watching(story) as pilot:
        assert "READ-ONLY" in shown(pilot)
        assert shown(pilot).splitlines()[-1].split() == [
            *("/", "Filter", "L", "Log", "?", "Help", "q", "Quit")
        ]
        for key in "RnaxcuTHWst!":
            await pilot.press(key)
            assert type(pilot.app.screen) is MainScreen
        await pilot.press("question_mark")
        assert "roll back" not in shown(pilot)


@pytest.mark.parametrize(("connection", "level"), [("", "full"), ("::1 4711 ::1 22", "none")])
async def test_nothing_glides_over_ssh(
    story: Story, connection: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    if connection:
        monkeypatch.setenv("SSH_CONNECTION", connection)
    assert OrchestrateApp(story.history).animation_level == level
    assert WatchingApp(story.history).animation_level == "none"


async def test_it_is_left_without_a_question(story: Story) -> None:
    async with watching(story) as pilot:
        await pilot.press("q")
    assert pilot.app.return_value == "idle"


async def test_a_command_palette_that_comes_too_late_spoils_no_end(story: Story) -> None:
    async with watching(story) as pilot:
        await pilot.press("q")
        pilot.app._handle_exception(WorkerFailed(NoMatches("no list any more")))
    assert pilot.app.return_value == "idle"
    assert pilot.app.return_code == 0
