"""Several consoles: each shows who drives and who watches, and what the others do, at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.bridge import Bridge
from orchestrate_tui.console.screens.help_screen import HelpScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.domain.presence import Person
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.store.acknowledgements import acknowledge
from orchestrate_tui.store.attendance import Attendance
from orchestrate_tui.store.trouble import Trouble
from tests.console.company import ANNA, BEN, JOB, LONG_S, VIEWER, Slow, There
from tests.console.scenery import Desk, Story, delivered, failed, now, settle, shown, waiting

pytestmark = pytest.mark.anyio

REPOSITORY = Path(__file__).parents[2]
GENEROUS = 4
"""A machine that runs many tests at once may take so many times as long."""


async def test_who_drives_and_who_watches_is_shown(story: Story, desk: Desk) -> None:
    waiting(story)
    there = There((ANNA, BEN, VIEWER, JOB, Person(pid=os.getpid(), epochs=frozenset({9}))))
    app = OrchestrateApp(story.history, desk, attendance=there, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        assert (
            "driven by anna (pid 4711, pts/3)  watching: ben (pts/5 ssh), viewer (ssh, rea"
            in shown(pilot)
        )
        there.persons = (replace(ANNA, pid=os.getpid()),)
        await settle(pilot, lambda: "driven by this console" in shown(pilot))
        assert "watching" not in shown(pilot)


async def test_who_is_there_is_found_out_beside_the_event_loop_and_once_at_a_time(
    story: Story, desk: Desk
) -> None:
    waiting(story)
    there = Slow((ANNA,))
    app = OrchestrateApp(story.history, desk, attendance=there, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        there.gate.clear()
        there.persons = (replace(ANNA, pid=os.getpid()),)
        await settle(pilot, lambda: there.asked == 2)
        screen._tick()
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        await pilot.press("escape")
        assert there.asked == 2
        assert "driven by anna" in shown(pilot)
        there.gate.set()
        await settle(pilot, lambda: "driven by this console" in shown(pilot))


def test_to_leave_waits_for_nobody_who_is_there(story: Story, desk: Desk) -> None:
    waiting(story)
    there = Slow((ANNA,))

    async def leave() -> None:
        app = OrchestrateApp(story.history, desk, attendance=there, clock=now)
        async with app.run_test(size=(80, 24)) as pilot:
            there.gate.clear()
            await settle(pilot, lambda: there.asked == 2)
            await pilot.press("q")

    began = time.monotonic()
    asyncio.run(leave())  # which waits for the threads of its own, as that of a console does
    assert not there.gate.is_set()
    assert time.monotonic() - began < LONG_S
    there.gate.set()


async def test_nothing_is_told_of_who_is_alone_with_what_has_ended(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    there = There((replace(ANNA, pid=os.getpid()),))
    app = OrchestrateApp(story.history, desk, attendance=there, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "driven" not in shown(pilot)
        assert "1 Runs" in shown(pilot).splitlines()[1]


async def test_the_names_of_others_move_no_cursor(story: Story, desk: Desk) -> None:
    there = There((Person(pid=1, user="\x1b[2Jevil[/]"),))
    app = OrchestrateApp(story.history, desk, attendance=there, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "␛[2Jevil[/] (pid 1, read-only)" in shown(pilot)


async def test_a_run_is_taken_over_with_a_reason(story: Story, desk: Desk) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, attendance=There((ANNA,)), clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("U")
        await settle(pilot, lambda: "anna's process 4711 on pts/3 works on it" in shown(pilot))
        button = pilot.app.screen.query_one("#confirm", ArmedButton)
        await settle(pilot, lambda: button.is_armed)
        assert button.disabled
        await pilot.press(*"it hangs", "enter")
        await settle(pilot, lambda: button.is_armed)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("resume", 1, "it hangs")]


async def test_what_this_process_works_on_is_not_taken_over(story: Story, desk: Desk) -> None:
    desk.runs = (waiting(story),)
    app = OrchestrateApp(story.history, desk, attendance=There((ANNA,)), clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("U")
        assert isinstance(pilot.app.screen, MainScreen)


async def test_a_run_that_went_wrong_is_acknowledged(story: Story, desk: Desk) -> None:
    failed(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A")
        button = pilot.app.screen.query_one("#yes", ArmedButton)
        await settle(pilot, lambda: button.is_armed)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
        assert desk.asked == [("acknowledge", 1, "")]
        note = partial(acknowledge, run_id=1, actor="ben", comment="", at=now())
        story.database.write(note)
        await settle(pilot, lambda: "✗ failed  seen by ben" in shown(pilot))
        assert "✗•#1 " in shown(pilot)
        await pilot.press("A")
        assert isinstance(app.screen, MainScreen)


async def test_a_warning_of_the_executor_stays_until_it_is_put_away(
    story: Story, desk: Desk
) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        desk.hub.warn("Run 1 was taken over by ben at 12:00: it hung")
        await settle(pilot, lambda: "taken over by ben at 12:00" in shown(pilot))
        await pilot.press("escape")
        await settle(pilot, lambda: "taken over by ben" not in shown(pilot))


async def test_several_warnings_stand_below_each_other(story: Story, desk: Desk) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        for number in range(4):
            desk.hub.warn(f"Run {number} was taken over by ben")
        await settle(pilot, lambda: "Run 3 was taken over by ben  [Esc: put away]" in shown(pilot))
        assert "Run 1 was taken over" in shown(pilot)
        assert "Run 2 was taken over" in shown(pilot)
        await pilot.press("escape")
        desk.hub.warn("Run 7 was taken over by ben")
        await settle(pilot, lambda: "Run 7 was taken over" in shown(pilot))
        assert "Run 2 was taken over" not in shown(pilot)


async def test_what_keeps_work_from_going_on_is_told_as_long_as_it_does(
    story: Story, desk: Desk
) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        desk.trouble = "The disk is full: /srv/store.db cannot be written"
        await settle(pilot, lambda: "The disk is full: /srv/store.db" in shown(pilot))
        await pilot.press("escape")
        assert "The disk is full: /srv/store.db" in shown(pilot)
        desk.trouble = ""
        await settle(pilot, lambda: "The disk is full" not in shown(pilot))


async def test_what_keeps_another_executor_from_going_on_is_told_to_who_only_watches(
    story: Story,
) -> None:
    waiting(story)
    mark = story.database.trouble_mark
    with Attendance(story.history.files) as there:
        app = OrchestrateApp(story.history, attendance=there, clock=now)
        async with app.run_test(size=(80, 24)) as pilot:
            mark.set(Trouble.FULL)
            since = time.monotonic()
            await settle(pilot, lambda: "The disk is full" in shown(pilot))
            mark.clear(Trouble.FULL)
            await settle(pilot, lambda: "The disk is full" not in shown(pilot))
            assert time.monotonic() - since < 2 * GENEROUS


async def test_what_keeps_another_executor_from_going_on_is_told_to_who_may_act(
    story: Story, desk: Desk
) -> None:
    waiting(story)
    there = There(said="The disk is full: /srv/store.db cannot be written")
    app = OrchestrateApp(story.history, desk, attendance=there, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: "The disk is full: /srv/store.db" in shown(pilot))


async def test_a_cancelling_quit_does_not_wait_for_a_full_disk(story: Story, desk: Desk) -> None:
    desk.runs = (waiting(story),)
    desk.trouble, desk.is_stuck = "The disk is full", True
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        app._quit_answered(desk.runs, "cancel")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("lose_patience",)]
    assert app.return_code == 4


async def test_a_dead_executor_is_noticed_within_a_second(story: Story, desk: Desk) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(120, 40)) as pilot:
        story.dies()
        died = time.monotonic()
        await settle(pilot, lambda: "interrupted" in shown(pilot))
        assert time.monotonic() - died < 1.0 * GENEROUS


def test_the_death_of_an_executor_changes_everything_once(story: Story) -> None:
    waiting(story)
    bridge = Bridge(story.history)
    assert not bridge.drain()
    story.dies()
    assert not bridge.drain(with_deaths=False)
    assert bridge.drain().everything
    assert not bridge.drain()


OTHER = """
import sys, time
from pathlib import Path
from tests.console.company import ANNA, BEN, JOB, VIEWER, There
from tests.console.scenery import NOON, S, Story, stage
from orchestrate_tui.domain.pipeline import Pipeline
story = Story(Path(sys.argv[1]))
run_id = story.run(Pipeline(name="far", stages=tuple(stage(f"s{n}") for n in range(8))))
print(run_id, flush=True)
for n in range(8):
    sys.stdin.readline()
    story.becomes(run_id, f"s{n}", S.RUNNING)
    print(time.monotonic(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(story: Story) -> Iterator[subprocess.Popen[str]]:
    """Another process that works on a run, a stage for every line that it is told."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, story.history.files.database],
        cwd=REPOSITORY, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


async def test_what_another_process_commits_is_shown_within_a_quarter_of_a_second(
    story: Story, desk: Desk, other: subprocess.Popen[str]
) -> None:
    assert other.stdin
    assert other.stdout
    run_id = int(other.stdout.readline())
    with Attendance(story.history.files) as there:
        app = OrchestrateApp(story.history, desk, run_id=run_id, attendance=there, clock=now)
        delays = []
        async with app.run_test(size=(120, 40)) as pilot:
            screen = pilot.app.screen
            assert isinstance(screen, MainScreen)
            assert f"driven by {there.people()[0].user} (pid {other.pid}" in shown(pilot)
            for number in range(8):
                other.stdin.write("go on\n")
                other.stdin.flush()
                committed = float(other.stdout.readline())

                def is_shown(name: str = f"s{number}") -> bool:
                    stages = screen.picture.by_name if screen.picture else {}
                    return stages[name].status is StageStatus.RUNNING

                while not is_shown():
                    await pilot.pause(0.005)
                delays.append(time.monotonic() - committed)
            assert story.history.run(run_id).status is RunStatus.RUNNING
    assert median(delays) < 0.25 * GENEROUS, delays
