from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Event, current_thread

import pytest
from textual.worker import WorkerFailed

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.latch import Latch, LatchedControl
from orchestrate_tui.console.opening import Opening, opened
from orchestrate_tui.console.screens.help_screen import HelpScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.question import Question
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.errors import Refused, StoreError
from tests.console.scenery import Desk, Story, failed, now, settle

pytestmark = pytest.mark.anyio


NO_GROUP = StoreError("There is no group 'ops'")


class Slow:
    """Opens a desk as soon as it may."""

    def __init__(self, desk: Desk) -> None:
        self.may = Event()
        self.asked = Event()
        self._desk = desk

    def open(self) -> Desk:
        self.asked.set()
        assert self.may.wait(60)
        return self._desk

    def fail(self) -> Desk:
        self.open()
        raise NO_GROUP


def test_nothing_is_opened_before_somebody_asks() -> None:
    opening = Opening(lambda: pytest.fail("nobody asked for it"))
    assert opening.outcome() is None
    opening.settle()
    assert not opening.is_open


def test_it_is_opened_once_beside_whoever_asks() -> None:
    threads = []
    opening = Opening(lambda: threads.append(current_thread()))
    for _ in range(3):
        opening.control()
    assert len(threads) == 1
    assert threads[0] is not current_thread()


def test_what_kept_it_from_being_opened_is_told_to_everybody(desk: Desk) -> None:
    slow = Slow(desk)
    slow.may.set()
    opening = Opening(slow.fail)
    for ask in (opening.control, opening.outcome):
        with pytest.raises(StoreError, match="no group 'ops'"):
            ask()
    opening.settle()
    assert opening.is_open


def test_what_is_open_need_not_be_waited_for(desk: Desk) -> None:
    assert opened(desk).is_open
    assert opened(desk).outcome() is desk


def test_what_is_asked_for_before_it_is_open_is_done_then(desk: Desk) -> None:
    slow = Slow(desk)
    opening = Opening(slow.open)
    asked = opening.ask(lambda control: control.cancel(7))
    assert slow.asked.wait(60)
    assert not asked.done()
    slow.may.set()
    assert asked.result(60) == "being cancelled"
    assert desk.asked == [("cancel", 7)]


def test_what_nobody_waits_for_any_more_is_not_asked_for(desk: Desk) -> None:
    slow = Slow(desk)
    opening = Opening(slow.open)
    assert opening.ask(lambda control: control.cancel(7)).cancel()
    slow.may.set()
    opening.settle()
    assert desk.asked == []


def test_what_is_given_up_is_given_up_by_the_executor_too(desk: Desk) -> None:
    under_way: Future[str] = Future()
    assert opened(desk).ask(lambda _: under_way).cancel()
    assert under_way.cancelled()


def test_who_asked_is_told_what_kept_it_from_being_opened(desk: Desk) -> None:
    slow = Slow(desk)
    asked = Opening(slow.fail).ask(lambda control: control.cancel(7))
    slow.may.set()
    with pytest.raises(StoreError, match="no group 'ops'"):
        asked.result(60)


async def test_keys_are_obeyed_while_the_executor_is_being_opened(story: Story, desk: Desk) -> None:
    run_id, slow = failed(story), Slow(desk)
    app = OrchestrateApp(story.history, Opening(slow.open), clock=now)
    async with app.run_test() as pilot:
        await asyncio.to_thread(slow.asked.wait)
        await pilot.press("A")
        await settle(pilot, lambda: app.screen.query_one("#yes", ArmedButton).is_armed)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: isinstance(app.screen, MainScreen))
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert desk.asked == []
        slow.may.set()
        await app.workers.wait_for_complete()
        assert desk.asked == [("acknowledge", run_id, "")]


async def test_what_only_the_executor_protects_is_locked_from_the_first_moment(
    story: Story, desk: Desk
) -> None:
    run_id, slow = story.run(), Slow(desk)
    desk.protected = frozenset({"production"})
    control = LatchedControl(Opening(slow.open), Latch(), story.history)
    asked = control.approve(run_id, "deploy")
    slow.may.set()
    with pytest.raises(Refused, match="production is protected"):
        await asyncio.to_thread(asked.result, 60)
    assert desk.asked == []


async def test_the_runs_are_shown_before_the_executor_is_there(story: Story, desk: Desk) -> None:
    run_id, slow = story.run(), Slow(desk)
    desk.runs = (run_id,)
    app = OrchestrateApp(story.history, Opening(slow.open), clock=now)
    async with app.run_test() as pilot:
        await asyncio.to_thread(slow.asked.wait)
        assert app.screen.query_one(RunsList).current == run_id
        slow.may.set()
        await app.workers.wait_for_complete()
        await pilot.press("q")
        assert isinstance(app.screen, Question)  # for it is known by now what runs


async def test_an_error_of_the_operator_is_told_in_a_sentence_wherever_it_comes_up(
    story: Story,
) -> None:
    app = OrchestrateApp(story.history, clock=now)
    app._handle_exception(WorkerFailed(NO_GROUP))
    assert app.return_code == NO_GROUP.exit_code
    assert [str(text) for text in app._exit_renderables] == ["There is no group 'ops'"]


async def test_a_console_whose_executor_cannot_be_opened_ends(story: Story, desk: Desk) -> None:
    slow = Slow(desk)
    opening = Opening(slow.fail)
    app = OrchestrateApp(story.history, opening, clock=now)
    async with app.run_test():
        await asyncio.to_thread(slow.asked.wait)
        slow.may.set()
        await app.workers.wait_for_complete()
        assert app.return_code is not None
    with pytest.raises(StoreError, match="no group 'ops'"):
        opening.outcome()
