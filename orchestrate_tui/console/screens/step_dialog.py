"""Deciding how a rollback goes on after a step that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.domain.step_decision import StepAction

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


class StepDialog(ReasonDialog):
    """Shows what went wrong and takes the decision; answers with what that did.

    `log` are the last lines of the undo. `word` has to be typed; "" asks for none.
    """

    FIRST: ClassVar[str] = "#choices"
    KEYS: ClassVar[str] = "↑↓ choose · Enter next · ←→ buttons · Esc close"

    def __init__(
        self,
        control: ExecutorControl,
        event: RollbackEvent,
        step: RollbackStep,
        log: Sequence[str],
        *,
        word: str = "",
        drafts: Drafts | None = None,
    ) -> None:
        title = f"Rollback {event.id} waits for you"
        about = lines(_about(step, log))
        super().__init__(title, about, yes="Decide", request=self._decide, word=word, drafts=drafts)
        self._control = control
        self._rollback_id = event.id or 0
        self._step = step

    def compose_choice(self) -> ComposeResult:
        """What can be done."""
        choices = OptionList(*(Option(_told(one)) for one in _CHOICES), id="choices")
        choices.highlighted = 0
        yield choices

    @on(OptionList.OptionSelected)
    def _go_to_reason(self) -> None:
        self.query_one("#reason").focus()

    def _decide(self, reason: str) -> Future[str]:
        choice = list(_CHOICES)[self.query_one(OptionList).highlighted or 0]
        if choice == HALT:
            return self._control.halt(self._rollback_id, reason)
        action = StepAction(choice)
        return self._control.decide_step(self._rollback_id, action, reason, self._step.part)


def _about(step: RollbackStep, log: Sequence[str]) -> Iterator[Content]:
    failure = f"{step.failure[:1].upper()}{step.failure[1:]}"
    yield plain(f"{failure}: {step.error_message}").stylize("bold")
    yield toned(f"{step.agent}: {step.task}", Tone.QUIET)
    for line in log[-MOST_LINES:] or ("It wrote nothing.",):
        yield toned(f"  {line}", Tone.QUIET)


def _told(choice: str) -> Content:
    return joined([plain(f"{choice:<6}"), toned(_CHOICES[choice], Tone.QUIET)], separator="")
