"""Deciding how a rollback goes on after a step that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.word_field import WordField
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from orchestrate_tui.console.ports import ExecutorControl
    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep

MOST_LINES = 6
"""Of the log; with the rest of the dialog they fit in 24 lines."""

HALT = "halt"
_CHOICES = {
    StepAction.RETRY: "try the undo again",
    StepAction.SKIP: "go on without it: what it was to undo stays",
    StepAction.DONE: "go on: I have undone it by other means",
    HALT: "end the rollback as failed; that is final",
}


class StepDialog(Dialog[str]):
    """Shows what went wrong and takes the decision; answers with what that did.

    `log` are the last lines of the undo. `word` has to be typed before that; "" asks for none.
    """

    def __init__(
        self,
        control: ExecutorControl,
        event: RollbackEvent,
        step: RollbackStep,
        log: Sequence[str],
        *,
        word: str = "",
    ) -> None:
        super().__init__()
        self._control = control
        self._event = event
        self._step = step
        self._log = log
        self._word = word

    def compose(self) -> ComposeResult:
        """The step, its last lines, what can be done, why, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(f"Rollback {self._event.id} waits for you")
            yield Static(lines(self._about()))
            yield OptionList(*(Option(_told(one)) for one in _CHOICES), id="choices")
            with Horizontal(classes="field"):
                yield Label("Reason")
                yield Input(placeholder="required", id="reason", compact=True)
            yield WordField(self._word)
            yield Static(id="problem", classes="problem")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ArmedButton("Decide", id="confirm", is_allowed=False)

    def _about(self) -> Iterator[Content]:
        step = self._step
        yield plain(f"The undo of {step.part} failed: {step.error_message}").stylize("bold")
        yield toned(f"{step.agent}: {step.task}", Tone.QUIET)
        for line in self._log[-MOST_LINES:] or ("It wrote nothing.",):
            yield toned(f"  {line}", Tone.QUIET)

    def on_mount(self) -> None:
        """Begin with what is to be decided."""
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()

    @on(OptionList.OptionSelected)
    def _go_to_reason(self) -> None:
        self.query_one("#reason").focus()

    @on(Input.Changed)
    def _check(self) -> None:
        is_ready = bool(self._reason) and self.query_one(WordField).is_filled
        self.query_one("#confirm", ArmedButton).allow(is_allowed=is_ready)

    @property
    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    @on(Input.Submitted, "#reason")
    def _go_on(self) -> None:
        self.query_one("#word" if self._word else "#cancel").focus()

    @on(Input.Submitted, "#word")
    def _go_to_buttons(self) -> None:
        self.query_one("#cancel").focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#confirm")
    @work(exclusive=True)
    async def _decide(self) -> None:
        try:
            answer = await outcome(self._ask())
        except OrchestrateError as error:
            self.query_one("#problem", Static).update(plain(str(error)))
        else:
            self.dismiss(answer)

    def _ask(self) -> Future[str]:
        choice = list(_CHOICES)[self.query_one(OptionList).highlighted or 0]
        rollback_id = self._event.id or 0
        if choice == HALT:
            return self._control.halt(rollback_id, self._reason)
        action = StepAction(choice)
        return self._control.decide_step(rollback_id, action, self._reason, self._step.part)


def _told(choice: str) -> Content:
    return joined([plain(f"{choice:<6}"), toned(_CHOICES[choice], Tone.QUIET)], separator="")
