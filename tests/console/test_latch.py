"""A console opens locked on runs that touch a protected environment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.latch import Latch, LatchedControl
from orchestrate_tui.console.opening import opened
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.domain.status import RollbackStatus, StageStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.rollbacks import update
from tests.console.company import ANNA, There
from tests.console.scenery import DELIVERY, PROTECTED, Desk, Story, delivered, now, settle, shown

pytestmark = pytest.mark.anyio

LOCKED = "LOCKED production  W unlocks"
S = StageStatus


class Stopwatch:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def app(story: Story, desk: Desk, watch: Stopwatch) -> OrchestrateApp:
    """A run of a pipeline with a protected environment waits for its approval."""
    waits(story)
    return OrchestrateApp(
        story.history, desk, latch=Latch(monotonic=watch), attendance=There((ANNA,)), clock=now
    )


def waits(story: Story, **settings: Any) -> int:
    run_id = story.run(PROTECTED, **settings)
    for name in ("build", "deploy-staging"):
        story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
    story.becomes(run_id, "security-scan", S.RUNNING)
    story.becomes(run_id, "deploy-prod", S.WAITING_APPROVAL)
    return run_id


async def armed(pilot: Pilot[Any]) -> ArmedButton:
    button = pilot.app.screen.query(ArmedButton).first()
    await settle(pilot, lambda: button.is_armed)
    return button


@pytest.mark.parametrize("key", ["R", "a", "x", "c", "U"])
async def test_locked_it_opens_no_dialog_and_says_how_to_unlock(
    app: OrchestrateApp, desk: Desk, key: str
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        assert LOCKED in shown(pilot)
        await pilot.press(key)
        await settle(pilot, lambda: "unlocks it for 5m" in shown(pilot))
        assert "5m 00s" not in shown(pilot)
        assert isinstance(app.screen, MainScreen)
    assert desk.asked == []


async def test_unlocked_it_counts_down_and_locks_itself(
    app: OrchestrateApp, watch: Stopwatch
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("W")
        await settle(pilot, lambda: "production unlocked 5:00" in shown(pilot))
        watch.seconds += 239
        await settle(pilot, lambda: "production unlocked 1:01" in shown(pilot))
        watch.seconds += 61
        await settle(pilot, lambda: LOCKED in shown(pilot))


async def test_the_same_key_locks_it_again(app: OrchestrateApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("W", "W")
        await settle(pilot, lambda: LOCKED in shown(pilot))


async def test_unlocked_an_approval_needs_no_word(app: OrchestrateApp, desk: Desk) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("W", "a")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("approve", 1, "deploy-prod", "")]


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("c",), ("cancel", 1)),
        (("x", "tab", "tab"), ("reject", 1, "deploy-prod", "")),
    ],
)
async def test_unlocked_what_is_grave_asks_for_the_name(
    app: OrchestrateApp, desk: Desk, keys: tuple[str, ...], asked: tuple[Any, ...]
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("W", keys[0])
        button = await armed(pilot)
        app.screen.query_one("#word").focus()
        await pilot.press(*"productio")
        assert button.disabled
        await pilot.press("n")
        await settle(pilot, lambda: not button.disabled)
        await pilot.press("enter", "right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [asked]


async def test_what_was_typed_ahead_confirms_nothing(app: OrchestrateApp, desk: Desk) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("W", "c", *"production", "enter", "enter")
        await settle(pilot, lambda: isinstance(app.screen, MainScreen))
    assert desk.asked == []


async def test_a_dialog_that_outlives_the_unlocked_time_changes_nothing(
    app: OrchestrateApp, desk: Desk, watch: Stopwatch
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("W", "a")
        await armed(pilot)
        watch.seconds += 301
        await pilot.press("right", "enter")
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
    assert desk.asked == []


async def test_a_rollback_asks_for_the_name_last(app: OrchestrateApp, desk: Desk) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("W", "R")
        await settle(pilot, lambda: "Plan: " in shown(pilot))
        app.screen.query_one("#reason").focus()
        await pilot.press(*"it fails")
        confirm = app.screen.query_one("#confirm", Button)
        await settle(pilot, lambda: not confirm.disabled)
        confirm.press()
        await settle(pilot, lambda: "Type production to confirm" in shown(pilot))
        button = await armed(pilot)
        assert button.disabled
        await pilot.press(*"production", "enter", "right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked[0][0] == "rollback"


async def test_halting_and_repeating_rollbacks_are_latched_too(
    app: OrchestrateApp, story: Story, desk: Desk
) -> None:
    rollback_id = story.rollback(1, status=RollbackStatus.RUNNING, started_at=now())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("4", "H")
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
        assert isinstance(app.screen, MainScreen)
        app.clear_notifications()
        event = story.history.rollback(rollback_id).mark_failed("no answer", now())
        story.database.write(lambda connection: update(connection, event))
        await settle(pilot, lambda: "T Retry" in shown(pilot))
        assert "this console is locked" not in shown(pilot)
        await pilot.press("T")
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
        assert isinstance(app.screen, MainScreen)
    assert desk.asked == []


async def test_quitting_cancels_only_what_is_unlocked(app: OrchestrateApp, desk: Desk) -> None:
    desk.runs = (1,)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("q")
        await armed(pilot)
        await pilot.press("right", "right", "enter")
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
        assert desk.asked == []
        await pilot.press("W", "q")
        await armed(pilot)
        await pilot.press("right", "right", "enter")
        await settle(pilot, lambda: "Type production to confirm" in shown(pilot))
        await armed(pilot)
        await pilot.press(*"production", "enter", "right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked == [("cancel", 1)]


async def test_the_configuration_protects_too_and_a_simulated_run_touches_nothing(
    story: Story, desk: Desk
) -> None:
    story.run(DELIVERY)
    story.run(PROTECTED, simulated=True)
    app = OrchestrateApp(story.history, desk, latch=Latch({"staging", "elsewhere"}), clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "LOCKED" not in shown(pilot)
        await pilot.press("1", "down")
        await settle(pilot, lambda: "LOCKED staging " in shown(pilot))


async def test_what_the_executor_protects_is_locked_too_once_it_is_known(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    app = OrchestrateApp(story.history, desk, latch=Latch(), clock=now)
    async with app.run_test(size=(120, 40)) as pilot:
        assert "LOCKED" not in shown(pilot)
        desk.protected = frozenset({"staging"})
        await pilot.press("R")
        await settle(pilot, lambda: "LOCKED staging " in shown(pilot))
        assert isinstance(app.screen, MainScreen)
    assert desk.asked == []


async def test_what_was_typed_is_what_the_executor_is_told(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    desk.protected = frozenset({"staging"})
    control = LatchedControl(opened(desk), Latch(), story.history)
    with pytest.raises(Refused, match="staging is protected"):
        control.cancel(run_id).result()
    control.latch.turn(("staging",))
    control.cancel(run_id).result()
    assert (desk.confirmed, desk.asked) == ([("staging",)], [("cancel", run_id)])


async def test_a_read_only_console_needs_no_latch(story: Story) -> None:
    waits(story)
    app = OrchestrateApp(story.history, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "LOCKED" not in shown(pilot)


SHOP = """\
name: shop
environments: {production: {protected: true}}
agents: {robot: {shell: "true"}}
stages: [{name: deploy, agent: robot, task: t, environment: production}]
"""


async def test_a_run_of_what_never_ran_is_unlocked_where_it_is_put_together(
    story: Story, desk: Desk, watch: Stopwatch, tmp_path: Path
) -> None:
    story.run(DELIVERY)
    (tmp_path / "shop.yaml").write_text(SHOP)
    files, latch = [tmp_path / "shop.yaml"], Latch(monotonic=watch)
    app = OrchestrateApp(story.history, desk, files=files, latch=latch, clock=now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await settle(pilot, lambda: LOCKED in shown(pilot))
        await pilot.press("tab", "tab", "tab", "W", "ctrl+s")  # a letter in a field
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
        await pilot.press("W")
        await settle(pilot, lambda: "production unlocked 5:00" in shown(pilot))
        watch.seconds += 60
        await settle(pilot, lambda: "production unlocked 4:00" in shown(pilot))
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked[0][:2] == ("start_run", "shop")


async def test_what_was_refused_is_what_the_key_unlocks(
    app: OrchestrateApp, story: Story, desk: Desk
) -> None:
    story.rollback(1, status=RollbackStatus.RUNNING, started_at=now())
    story.run(DELIVERY)
    async with app.run_test(size=(120, 40)) as pilot:
        assert "LOCKED" not in shown(pilot)
        await pilot.press("4", "H")
        await settle(pilot, lambda: LOCKED in shown(pilot))
        await pilot.press("W", "H")
        await armed(pilot)
        await pilot.press(*"production", "enter", "right", "enter")
        await settle(pilot, lambda: desk.asked)
    assert desk.asked[0][:2] == ("halt", 1)


async def test_nothing_is_unlocked_unseen_and_the_key_locks_it(
    app: OrchestrateApp, story: Story
) -> None:
    story.run(DELIVERY)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "down")
        await settle(pilot, lambda: LOCKED in shown(pilot))
        await pilot.press("W", "up")
        await settle(pilot, lambda: "#2" in shown(pilot).partition("\n")[0])
        assert "production unlocked" in shown(pilot)
        await pilot.press("W")
        await settle(pilot, lambda: "unlocked" not in shown(pilot))


@pytest.mark.parametrize("is_stuck", [False, True])
async def test_quitting_cancels_nothing_before_all_of_it_is_unlocked(
    app: OrchestrateApp, story: Story, desk: Desk, *, is_stuck: bool
) -> None:
    desk.runs, desk.is_stuck = (1, story.run(DELIVERY)), is_stuck
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("q")
        await armed(pilot)
        await pilot.press("right", "right", "enter")
        await settle(pilot, lambda: "this console is locked" in shown(pilot))
        await pilot.press("escape")
    assert desk.asked == []


def test_what_is_unlocked_locks_itself_while_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boot_s = 100.0

    def clock(which: int) -> float:
        return boot_s if which == time.CLOCK_BOOTTIME else 100.0

    monkeypatch.setattr(time, "clock_gettime", clock)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    latch = Latch()
    latch.turn(("production",))
    assert latch.unlocked == ("production",)
    boot_s += 301
    assert latch.is_locked(("production",))
