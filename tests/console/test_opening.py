from __future__ import annotations

import asyncio
from threading import Event, current_thread

import pytest
from textual.worker import WorkerFailed

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.opening import Opening, opened
from orchestrate_tui.console.screens.question import Question
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.errors import StoreError
from tests.console.scenery import Desk, Story, now

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
