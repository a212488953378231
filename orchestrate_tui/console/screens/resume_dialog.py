"""Going on with a run some of whose stages are lost: what is to be done about each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.agents.left_programs import Left
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.domain.run import Settlement
from orchestrate_tui.executor.left_work import LeftStage

if TYPE_CHECKING:
    from orchestrate_tui.domain.events import RollbackEvent
    from orchestrate_tui.domain.run import Run

Settled = Mapping[str, Settlement]

_WORDS = {
    Settlement.RERUN: ("runs again", Tone.ACTIVE),
    Settlement.DONE: ("counts as done", Tone.GOOD),
    Settlement.FAILED: ("counts as failed", Tone.BAD),
}
_KNOWN = {
    Left.RUNNING: "still runs and is taken back",
    Left.ENDED: "has ended meanwhile; how is known",
    Left.NOT_STARTED: "was not started yet and starts now",
    Left.LOST: "is lost and runs again: it is marked idempotent",
}


def fates(stages: Sequence[LeftStage]) -> Content:
    """What becomes of the stages that need nobody's word."""
    known = (stage for stage in stages if not stage.needs_settlement)
    return lines(
        [
            plain("Finished stages do not run again."),
            *(toned(f"{one.stage_name} {_KNOWN[one.left]}", Tone.QUIET) for one in known),
        ]
    )


def way_of_rollback(event: RollbackEvent) -> Content:
    """How a rollback goes on whose executor died."""
    return lines(
        [
            plain(f"Rollback {event.id} of run #{event.run_id} goes on. What is undone stays so."),
            plain(
                "An undo that still runs is taken back. One that is lost runs again if it is"
                " marked idempotent; else you are asked."
            ),
        ]
    )


class ResumeDialog(Dialog[Settled]):
    """Answers with what becomes of each lost stage; "roll back" answers with an empty mapping."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "settle('rerun')", "Run again"),
        Binding("d", "settle('done')", "Done"),
        Binding("f", "settle('failed')", "Failed"),
    ]

    def __init__(self, run: Run, stages: Sequence[LeftStage]) -> None:
        super().__init__()
        self._run = run
        self._stages = stages
        self._lost = [stage.stage_name for stage in stages if stage.needs_settlement]
        self._settled: dict[str, Settlement] = {}

    def compose(self) -> ComposeResult:
        """What goes on by itself, the lost stages, the keys, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(f"Resume run #{self._run.id}")
            yield Static(fates(self._stages))
            yield Static(
                toned("Nobody knows how far these came; look at their logs first:", Tone.ATTENTION)
            )
            yield OptionList(*(Option(self._told(name)) for name in self._lost))
            yield Static("r run again   d count as done   f count as failed", classes="note")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Roll back…", id="roll-back", compact=True)
                yield ArmedButton("Resume", id="confirm", is_allowed=False)

    def on_mount(self) -> None:
        """Begin with the first stage that is lost."""
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()

    def _told(self, name: str) -> Content:
        settlement = self._settled.get(name)
        words, tone = _WORDS[settlement] if settlement else ("?", Tone.ATTENTION)
        return joined([plain(name), toned(words, tone)], separator="  ")

    def action_settle(self, word: str) -> None:
        """Note what becomes of the highlighted stage, and go to the next one."""
        choices = self.query_one(OptionList)
        place = choices.highlighted
        if place is None:
            return
        name = self._lost[place]
        self._settled[name] = Settlement(word)
        choices.replace_option_prompt_at_index(place, self._told(name))
        choices.highlighted = min(place + 1, len(self._lost) - 1)
        is_complete = len(self._settled) == len(self._lost)
        self.query_one("#confirm", ArmedButton).allow(is_allowed=is_complete)

    @on(OptionList.OptionSelected)
    def _go_on(self) -> None:
        """To what it was all settled for, once it is; never to Cancel."""
        confirm = self.query_one("#confirm")
        if not confirm.disabled:
            confirm.focus()

    @on(Button.Pressed, "#roll-back")
    def _roll_back(self) -> None:
        self.dismiss({})

    @on(Button.Pressed, "#confirm")
    def _confirm(self) -> None:
        self.dismiss(self._settled)
