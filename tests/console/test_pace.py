from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from orchestrate_tui.console import pace
from orchestrate_tui.console.pace import LONGEST_S, Pace


@dataclass
class Clocks:
    """The time of day, and what the threads of the process have computed so far, in seconds."""

    now: float = 100.0
    own: float = 0.0
    others: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def thread_time(self) -> float:
        return self.own

    def process_time(self) -> float:
        return self.own + self.others


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    found = Clocks()
    monkeypatch.setattr(pace, "time", found)
    return found


def test_while_nobody_else_computes_every_moment_is_right(clocks: Clocks) -> None:
    drawn = Pace()
    for _ in range(3):
        clocks.now += 0.05
        clocks.own += 0.05
        assert drawn.is_due()


def test_who_computes_is_given_way_to_and_no_longer_than_promised(clocks: Clocks) -> None:
    drawn, waited_s = Pace(), 0.0
    is_due = False
    while not is_due:
        clocks.now += 0.01
        clocks.others += 0.01
        waited_s += 0.01
        is_due = drawn.is_due()
    assert waited_s == pytest.approx(LONGEST_S, abs=0.011)


def test_when_the_others_are_done_it_is_time_at_once(clocks: Clocks) -> None:
    drawn = Pace()
    clocks.now, clocks.others = clocks.now + 0.01, 0.01
    assert not drawn.is_due()
    clocks.now += 0.1
    assert drawn.is_due()


@pytest.mark.anyio
async def test_while_somebody_gives_way_nobody_else_draws(clocks: Clocks) -> None:
    drawn = Pace()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(drawn.give_way())
        await asyncio.sleep(0)
        clocks.now += LONGEST_S + 0.01
        assert not drawn.is_due()
        await waiting
    assert drawn.is_due()


@pytest.mark.anyio
async def test_what_is_drawn_after_giving_way_is_not_drawn_at_once_again(clocks: Clocks) -> None:
    drawn = Pace()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(drawn.give_way())
        await asyncio.sleep(0)
        clocks.now, clocks.others = clocks.now + 2 * LONGEST_S, clocks.others + LONGEST_S
        await waiting
    clocks.now, clocks.others = clocks.now + 0.01, clocks.others + 0.01
    assert not drawn.is_due()
