"""Asks why, before something is done that others will want to understand."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.word_field import WordField


class ReasonDialog(Dialog[str]):
    """Answers with the reason, which is "" only where it is not `required`.

    `word` has to be typed before that; "" asks for none.
    """

    def __init__(
        self, title: str, body: Content, *, yes: str, required: bool = True, word: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._body = body
        self._yes = yes
        self._is_required = required
        self._word = word

    def compose(self) -> ComposeResult:
        """What happens, why, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(self._title)
            yield Static(self._body)
            with Horizontal(classes="field"):
                yield Label("Reason")
                hint = "required" if self._is_required else "optional"
                yield Input(placeholder=hint, id="reason", compact=True)
            yield WordField(self._word)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ArmedButton(self._yes, id="confirm", is_allowed=self._is_ready)

    def on_mount(self) -> None:
        """Begin with the reason."""
        self.query_one("#reason").focus()

    @property
    def _is_ready(self) -> bool:
        if not self.is_mounted:
            return not (self._is_required or self._word)
        return self.query_one(WordField).is_filled and bool(self._reason or not self._is_required)

    @property
    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    @on(Input.Changed)
    def _check(self) -> None:
        self.query_one("#confirm", ArmedButton).allow(is_allowed=self._is_ready)

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
    def _confirm(self) -> None:
        self.dismiss(self._reason)
