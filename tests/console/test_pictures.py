"""Pictures of screens; `pytest --snapshot-update` takes them anew, then look at each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from orchestrate_tui.agents.left_programs import Left
from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.latch import Latch
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.domain.pipeline import AgentKind
from orchestrate_tui.domain.readiness import SnapshotState
from orchestrate_tui.domain.rehearsal import (
    CheckAnswer,
    RehearsalReport,
    RehearsedStep,
    WrittenUndo,
)
from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.status import RollbackStatus
from orchestrate_tui.executor.left_work import LeftStage
from orchestrate_tui.store.rollback_steps import insert_steps
from tests.console.company import ANNA, BEN, VIEWER, There
from tests.console.scenery import (
    PROTECTED,
    Desk,
    Story,
    delivered,
    deployed,
    failed,
    now,
    released,
    settle,
    waiting,
)

Snap = Callable[..., bool]
SMALL, MEDIUM, LARGE = (80, 24), (120, 40), (200, 60)


@pytest.fixture
def app(story: Story, desk: Desk) -> OrchestrateApp:
    """Three runs: one that succeeded, one that was rolled back, one that waits."""
    delivered(story)
    story.passes(60)
    failed(story)
    story.passes(60)
    desk.runs = (waiting(story),)
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    return app


async def at_rest(pilot: Pilot[Any]) -> None:
    """Nothing moves any more: no cursor blinks, every button is armed, every light is known."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    buttons = pilot.app.screen.query(ArmedButton)
    await settle(pilot, lambda: all(button.is_armed for button in buttons))
    await pilot.pause()


def after(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def press(pilot: Pilot[Any]) -> None:
        await pilot.press(*keys)
        await at_rest(pilot)

    return press


@pytest.mark.parametrize("size", [SMALL, MEDIUM, LARGE], ids="{0[0]}x{0[1]}".format)
def test_main_screen(app: OrchestrateApp, snap_compare: Snap, size: tuple[int, int]) -> None:
    assert snap_compare(app, terminal_size=size, run_before=after())


def test_a_run_that_was_rolled_back(app: OrchestrateApp, snap_compare: Snap) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=after("1", "down"))


def test_read_only(story: Story, snap_compare: Snap) -> None:
    failed(story)
    story.rollback(1, status=RollbackStatus.FAILED, actor="bob", reason="500s", error_message="no")
    app = OrchestrateApp(story.history, clock=now)
    assert snap_compare(app, terminal_size=SMALL, run_before=after("4"))


def test_rollback_dialog(app: OrchestrateApp, snap_compare: Snap) -> None:
    keys = ("1", "end", "R", "tab", "down", "down", "down", "down", "enter", *"it", "left")
    assert snap_compare(app, terminal_size=SMALL, run_before=after(*keys))


def test_rollback_dialog_with_components(story: Story, desk: Desk, snap_compare: Snap) -> None:
    deployed(story)
    keys = ("R", "enter", "down", "enter", "space", "enter", *"api is fine", "left")
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=SMALL, run_before=after(*keys))


def test_new_run_dialog(
    app: OrchestrateApp, snap_compare: Snap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "ship.yaml").write_text(
        "name: ship\ndescription: Ships it\nvariables: {environment: staging, version: '1'}\n"
        "stages:\n  - {name: build, agent: nobody, task: Build}\n"
    )

    async def open_it(pilot: Pilot[Any]) -> None:
        await pilot.press("n")
        await settle(pilot, lambda: len(pilot.app.screen.query("#variables Input")) == 2)
        await at_rest(pilot)

    assert snap_compare(app, terminal_size=SMALL, run_before=open_it)


def test_decision_dialog(app: OrchestrateApp, snap_compare: Snap) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=after("a"))


@pytest.mark.parametrize("size", [SMALL, MEDIUM], ids="{0[0]}x{0[1]}".format)
def test_company(story: Story, desk: Desk, snap_compare: Snap, size: tuple[int, int]) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, attendance=There((ANNA, BEN, VIEWER)), clock=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=after())


def test_take_over_dialog(story: Story, desk: Desk, snap_compare: Snap) -> None:
    waiting(story)
    app = OrchestrateApp(story.history, desk, attendance=There((ANNA,)), clock=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=SMALL, run_before=after("U", *"it hangs"))


def test_resume_dialog(story: Story, desk: Desk, snap_compare: Snap) -> None:
    run_id = waiting(story)
    story.dies()
    desk.left[run_id] = (
        LeftStage(stage_name="security-scan", left=Left.RUNNING),
        LeftStage(stage_name="migrate", left=Left.LOST),
        LeftStage(stage_name="deploy-prod", left=Left.LOST),
    )
    app = OrchestrateApp(story.history, desk, clock=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=SMALL, run_before=after("u", "d"))


@pytest.fixture
def protected(story: Story, desk: Desk) -> OrchestrateApp:
    """A run that waits in front of a protected environment, and three people."""
    waiting(story, PROTECTED)
    latch = Latch(monotonic=lambda: 1000.0)
    there = There((ANNA, BEN, VIEWER))
    app = OrchestrateApp(story.history, desk, latch=latch, attendance=there, clock=now)
    app.animation_level = "none"
    return app


@pytest.mark.parametrize("size", [SMALL, MEDIUM], ids="{0[0]}x{0[1]}".format)
def test_locked(protected: OrchestrateApp, snap_compare: Snap, size: tuple[int, int]) -> None:
    assert snap_compare(protected, terminal_size=size, run_before=after())


def test_unlocked(protected: OrchestrateApp, snap_compare: Snap) -> None:
    assert snap_compare(protected, terminal_size=SMALL, run_before=after("W"))


@pytest.mark.parametrize("key", ["c", "x"], ids=["cancel", "reject"])
def test_confirmation_by_name(protected: OrchestrateApp, snap_compare: Snap, key: str) -> None:
    run_before = after("W", key, *"prod")
    assert snap_compare(protected, terminal_size=SMALL, run_before=run_before)


def test_quit_question(app: OrchestrateApp, snap_compare: Snap) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=after("q"))


def test_help(app: OrchestrateApp, snap_compare: Snap) -> None:
    assert snap_compare(app, terminal_size=MEDIUM, run_before=after("question_mark"))


def test_full_log(app: OrchestrateApp, snap_compare: Snap) -> None:
    keys = ("home", "right", "down", "L", "slash", *"layer", "enter")
    assert snap_compare(app, terminal_size=SMALL, run_before=after(*keys))


UNWELL = RehearsalReport(
    steps=(
        RehearsedStep(
            stage_name="deploy-staging",
            agent="deployer",
            task="Serve 1.4.1 again",
            restores=("conf", "current"),
            snapshot=SnapshotState.INTACT,
            release=4,
            from_version="1.4.2",
            to_version="1.4.1",
            undo=WrittenUndo(
                kind=AgentKind.COMMAND,
                command=("./switch", "releases/1.4.1", "current"),
                workdir="/srv/shop",
                environment=(("MODE", "safe"), ("ORCHESTRATE_REHEARSAL", "1")),
            ),
            check=CheckAnswer.FAILED,
            check_lines=("cannot read 'current'",),
            problems=("its check failed: exit code 4",),
        ),
    ),
    skipped=(("build", "nothing to undo"), ("smoke-staging", "nothing to undo")),
    warnings=("stage 'smoke-staging' ran and has nothing to undo it",),
)


COLOURED_LOG = (
    *(
        b"\x1b[3%dmcolour %d\x1b[0m \x1b[9%dmbright\x1b[0m \x1b[4%dm behind \x1b[0m" % ((n,) * 4)
        for n in range(8)
    ),
    b"\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[4munder\x1b[0m \x1b[7mreverse",
    b"\x1b[38;5;208mof 256\x1b[0m \x1b[38;2;120;200;255mtrue\x1b[0m \x1b[48;5;57m behind \x1b[0m",
    b"hidden: \x1b[8mconceal\x1b[0m, \x1b[31;41mred on red\x1b[0m, \x1b[38;2;18;18;18mthe screen's",
    b"\x1b[31mred up to the end of its line",
    b"and not further \x1b[2J\x1b]0;title\x07 \xe2\x80\xae",
)


def test_coloured_log(story: Story, snap_compare: Snap) -> None:
    failed(story)
    path = story.log(1, "smoke-staging", "")
    path.write_bytes(b"\n".join(COLOURED_LOG))
    app = OrchestrateApp(story.history, clock=now)
    assert snap_compare(app, terminal_size=SMALL, run_before=after("L"))


@pytest.mark.parametrize("size", [SMALL, MEDIUM], ids=["80x24", "120x40"])
def test_rehearsal(
    app: OrchestrateApp, story: Story, snap_compare: Snap, size: tuple[int, int]
) -> None:
    story.rehearses(3, UNWELL)
    assert snap_compare(app, terminal_size=size, run_before=after("E", "enter", "enter"))


@pytest.mark.parametrize("size", [SMALL, MEDIUM], ids=["80x24", "120x40"])
def test_releases(story: Story, desk: Desk, snap_compare: Snap, size: tuple[int, int]) -> None:
    released(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    assert snap_compare(app, terminal_size=size, run_before=after("v"))


def test_rollback_steps(app: OrchestrateApp, story: Story, snap_compare: Snap) -> None:
    steps = tuple(
        PlanStep(stage_name=n, agent="deployer", task=f"Undo {n}") for n in ("web", "api")
    )
    plan = RollbackPlan(failed_stage="web", target="api", steps=steps)
    story.database.write(lambda connection: insert_steps(connection, 1, plan))
    assert snap_compare(app, terminal_size=SMALL, run_before=after("4", "enter"))
