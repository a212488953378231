"""A question whose default answer changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.word_field import WordField
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One possible answer: its id, its label, and whether it changes anything."""

    id: str
    label: str
    is_grave: bool = True


class Question(Dialog[str]):
    """Asks, and answers with the id of the chosen answer; the first answer has the focus.

    `word` has to be typed before a grave answer can be given; "" asks for none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go_beside(-1)", "Previous button", show=False),
        Binding("down", "go_beside(1)", "Next button", show=False),
    ]

    def __init__(
        self, title: str, body: Content, answers: Sequence[Answer], *, word: str = ""
    ) -> None:
        super().__init__()
        self._word = word
        self._title = title
        self._body = body
        self._answers = answers

    def compose(self) -> ComposeResult:
        """The question above its answers."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(self._title)
            yield Static(self._body)
            yield WordField(self._word)
            with Horizontal(classes="buttons"):
                for answer in self._answers:
                    if answer.is_grave:
                        yield ArmedButton(answer.label, id=answer.id, is_allowed=not self._word)
                    else:
                        yield Button(answer.label, id=answer.id, compact=True)

    def on_mount(self) -> None:
        """Put the focus on what changes nothing."""
        first = f"#{self._answers[0].id}"
        self.query_one("#word" if self._word else first).focus()

    @on(Input.Changed, "#word")
    def _check(self) -> None:
        is_filled = self.query_one(WordField).is_filled
        for button in self.query(ArmedButton):
            button.allow(is_allowed=is_filled)

    @on(Input.Submitted, "#word")
    def _go_on(self) -> None:
        self.query_one(f"#{self._answers[0].id}").focus()

    @on(Button.Pressed)
    def _answer(self, event: Button.Pressed) -> None:
        event.prevent_default()  # for "Cancel" is an answer too
        self.dismiss(event.button.id)


def yes_or_no(title: str, body: Content, *, no: str, yes: str, word: str = "") -> Question:
    """A question whose answer is "yes" or "no", each with its label."""
    answers = [Answer("no", no, is_grave=False), Answer("yes", yes)]
    return Question(title, body, answers, word=word)
