"""Taking a run from a process that still lives, with the reason why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import lines, plain, toned
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.word_field import WordField

if TYPE_CHECKING:
    from orchestrate_tui.domain.presence import Person
    from orchestrate_tui.domain.run import Run


class TakeOverDialog(Dialog[str]):
    """Answers with the reason; `driver` None means that it cannot be seen who has the run.

    `word` has to be typed before that; "" asks for none.
    """

    def __init__(self, run: Run, driver: Person | None, *, word: str = "") -> None:
        super().__init__()
        self._word = word
        self._run = run
        self._driver = driver

    def compose(self) -> ComposeResult:
        """Who has the run, what becomes of it, why, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(f"Take run #{self._run.id} over?")
            yield Static(self._about())
            with Horizontal(classes="field"):
                yield Label("Reason")
                yield Input(placeholder="required", id="reason", compact=True)
            yield WordField(self._word)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ArmedButton("Take over", id="confirm", is_allowed=False)

    def _about(self) -> Content:
        who = "A process that cannot be seen"
        if self._driver is not None:
            where = f" on {self._driver.place}" if self._driver.place else ""
            who = f"{self._driver.name}'s process {self._driver.pid}{where}"
        return lines(
            [
                plain(f"{who} works on it."),
                plain("Take the run from it only if it hangs or was stopped."),
                toned(
                    "What runs is taken over with it; finished stages do not run again.", Tone.QUIET
                ),
            ]
        )

    def on_mount(self) -> None:
        """Begin with what is missing."""
        self.query_one("#reason").focus()

    @property
    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    @on(Input.Changed)
    def _check(self) -> None:
        is_ready = bool(self._reason) and self.query_one(WordField).is_filled
        self.query_one("#confirm", ArmedButton).allow(is_allowed=is_ready)

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
    def _take_over(self) -> None:
        self.dismiss(self._reason)
