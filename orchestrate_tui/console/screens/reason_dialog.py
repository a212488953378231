"""Asks why, before something is done that others will want to understand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.field import Field
from orchestrate_tui.console.widgets.problem import Problem
from orchestrate_tui.console.widgets.word_field import WordField
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from concurrent.futures import Future

Request = Callable[[str], "Future[str]"]
"""Asks the executor for something, with the reason; the future is what that did."""


class ReasonDialog(Dialog[str]):
    """Answers with what `request` did, or without one with the reason; a refusal is shown.

    The reason is "" only where it is not `required`. `word` has to be typed too; "" asks for none.
    """

    LABEL: ClassVar[str] = "Reason"
    FIRST: ClassVar[str] = "#reason"
    """What has the focus in the beginning."""
    KEYS: ClassVar[str] = "Enter next · ←→ buttons · Esc close"
    NEXT: ClassVar[str] = "#cancel"
    """Where Enter leads from the reason, if no word is asked for."""

    def __init__(
        self,
        title: str,
        body: Content,
        *,
        yes: str,
        request: Request | None = None,
        required: bool = True,
        word: str = "",
    ) -> None:
        super().__init__()
        self._title = title
        self._body = body
        self._yes = yes
        self._request = request
        self._is_required = required
        self._word = word

    def compose(self) -> ComposeResult:
        """What happens, the choice there is, why, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = plain(self._title)
            frame.border_subtitle = Content(self.KEYS)
            yield Static(self._body)
            yield from self.compose_choice()
            yield Field(self.LABEL, "required" if self._is_required else "optional", "reason")
            yield WordField(self._word)
            yield Problem()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                is_ready = not (self._is_required or self._word)
                yield ArmedButton(self._yes, id="confirm", is_allowed=is_ready)

    def compose_choice(self) -> ComposeResult:
        """What is to be chosen beside the reason; nothing here."""
        return iter(())

    def on_mount(self) -> None:
        """Begin with what comes first."""
        self.query_one(self.FIRST).focus()

    @property
    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    @on(Input.Changed)
    def _check(self) -> None:
        is_said = bool(self._reason) or not self._is_required
        is_ready = is_said and self.query_one(WordField).is_filled
        self.query_one("#confirm", ArmedButton).allow(is_allowed=is_ready)

    @on(Input.Submitted, "#reason")
    def _go_on(self) -> None:
        self.query_one("#word" if self._word else self.NEXT).focus()

    @on(Input.Submitted, "#word")
    def _go_to_buttons(self) -> None:
        self.query_one("#cancel").focus()

    @on(Button.Pressed, "#confirm")
    def _confirm(self) -> None:
        if self._request is None:
            self.dismiss(self._reason)
        elif not self.query_one("#confirm").disabled:  # a second press finds it so
            self.query_one("#confirm", ArmedButton).allow(is_allowed=False)
            self._ask(self._request(self._reason))

    @work()
    async def _ask(self, asked: Future[str]) -> None:
        try:
            answer = await outcome(asked)
        except OrchestrateError as error:
            self.query_one(Problem).tell(str(error))
            self._check()
        else:
            self.dismiss(answer)
