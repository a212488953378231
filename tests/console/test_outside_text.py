from __future__ import annotations

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.widgets import Static

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.line_filter import SafeText
from orchestrate_tui.console.screens.asking_screen import REFUSAL_S
from orchestrate_tui.console.screens.help_screen import HelpScreen
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.domain.pipeline import Approval, Pipeline, Undo
from orchestrate_tui.domain.status import RollbackStatus
from orchestrate_tui.errors import Refused
from tests.console.scenery import Desk, S, Story, now, settle, shown, stage, waiting

pytestmark = pytest.mark.anyio

EVIL = "\x1b]52;c;eA==\x07[@click=app.bell]x[/]\u202e"
SEEN = "␛]52;c;eA==␇[@click=app.bell]x[/]<U+202E>"
BLACK = Color(0, 0, 0)
HOSTILE = Pipeline(
    name=EVIL,
    stages=(
        stage(
            EVIL, agent=EVIL, task=EVIL, environment=EVIL, rollback=Undo(task=EVIL), approval=None
        ),
        stage("gate", EVIL, approval=Approval(approvers=(EVIL,))),
    ),
)


def history_of_evil(story: Story) -> None:
    run_id = story.run(HOSTILE, branch=EVIL)
    story.becomes(run_id, EVIL, S.RUNNING, S.FAILED, reason=EVIL)
    story.becomes(run_id, "gate", S.WAITING_APPROVAL)
    story.log(run_id, EVIL, EVIL + "\n")
    story.rollback(
        run_id,
        failed_stage_name=EVIL,
        rollback_to_stage=EVIL,
        status=RollbackStatus.FAILED,
        error_message=EVIL,
        reason=EVIL,
        actor=EVIL,
    )


@pytest.mark.parametrize(
    "keys",
    [
        ["1"],
        ["home", "3"],
        ["home", "L"],
        ["4"],
        ["4", "enter"],
        ["R"],
        ["a"],
        ["x"],
        ["c"],
        ["4", "T"],
    ],
    ids=" ".join,
)
async def test_outside_text_is_shown_as_text_everywhere(
    story: Story, desk: Desk, keys: list[str]
) -> None:
    history_of_evil(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.press(*keys)
        text = shown(pilot)
        assert "[@click=app.bell]" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert SEEN[:12] in text


async def test_the_last_filter_drops_what_a_widget_let_through(story: Story, desk: Desk) -> None:
    safe = SafeText()
    given = [Segment("a\x1b[2Jb\u202ec"), Segment("plain"), Segment("\x1b[1m", None, [(1,)])]  # type: ignore[list-item]
    assert [one.text for one in safe.apply(given, BLACK)] == ["a[2Jbc", "plain", "\x1b[1m"]
    app = OrchestrateApp(story.history, desk, clock=now)
    assert isinstance(app.get_line_filters()[-1], SafeText)


def test_the_last_filter_keeps_no_link() -> None:
    [kept] = SafeText().apply([Segment("x", Style(bold=True, link="http://x\x1b[2J"))], BLACK)
    assert (kept.text, kept.style) == ("x", Style(bold=True))


async def test_a_click_on_a_text_runs_nothing(story: Story, desk: Desk) -> None:
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test() as pilot:
        await app.screen.mount(Static("[@click=app.help]click me[/]", id="bait"), before=0)
        await settle(pilot, lambda: "click me" in shown(pilot))
        assert await pilot.click("#bait", offset=(2, 0))
        await pilot.pause()
        assert not isinstance(app.screen, HelpScreen)


class Defect(Exception):
    """An error with words from outside."""


async def test_a_crash_shows_its_words_as_signs(
    story: Story, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    app = OrchestrateApp(story.history, desk, clock=now)

    async def fail() -> None:
        async with app.run_test() as pilot:
            app.call_later(raise_defect)
            await pilot.pause()

    def raise_defect() -> None:
        raise Defect(EVIL)

    with pytest.raises(Defect):
        await fail()
    told = capsys.readouterr().err
    assert "␛]52;c;eA==" in told
    assert "[@click=app.bell]x[/]<U+202E>" in told
    assert not set(told) & {"\x1b", "\x07", "\u202e"}


async def test_a_notification_is_no_markup(story: Story, desk: Desk) -> None:
    waiting(story)
    desk.refusal = Refused(EVIL)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(size=(160, 40), notifications=True) as pilot:
        await pilot.press("c")
        button = pilot.app.screen.query_one(ArmedButton)
        await settle(pilot, lambda: button.is_armed)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: SEEN in shown(pilot))
        assert [note.timeout for note in app._notifications] == [REFUSAL_S]
