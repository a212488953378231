"""Asks why, before something is done that others will want to understand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import Button, Input, Static

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.drafts import Drafts
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

    def __init__(
        self,
        title: str,
        body: Content,
        *,
        yes: str,
        request: Request | None = None,
        required: bool = True,
        word: str = "",
        drafts: Drafts | None = None,
    ) -> None:
        super().__init__()
        self._drafts = {} if drafts is None else drafts
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
            hint = "required" if self._is_required else "optional"
            yield Field(self.LABEL, hint, "reason", self._drafts.get(self._purpose, ""))
            yield WordField(self._word)
            yield Problem()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ArmedButton(self._yes, id="confirm", is_allowed=False)

    def compose_choice(self) -> ComposeResult:
        """What is to be chosen beside the reason; nothing here."""
        return iter(())

    def on_mount(self) -> None:
        """Begin with what comes first."""
        self._check()
        self.query_one(self.FIRST).focus()

    def dismiss(self, result: str | None = None) -> AwaitComplete:
        """Close; without an answer what was typed is kept for the next time."""
        self.keep_draft(self._drafts, self._purpose, self._reason if result is None else "")
        return super().dismiss(result)

    @property
    def _purpose(self) -> str:
        """What the reason is for; another release, stage or run is another purpose."""
        return f"{self._title} {self._body.plain.partition(chr(10))[0]}"

    @property
    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    @property
    def _missing(self) -> tuple[str, str]:
        """What is to be filled in first: its field and what to say; two times "" for nothing."""
        if self._is_required and not self._reason:
            return "#reason", f"{self.LABEL} is missing"
        if not self.query_one(WordField).is_filled:
            return "#word", f"Type {self._word} first"
        return "", ""

    def on_key(self, event: Key) -> None:
        """Take what is typed while a button has the focus as the beginning of the reason."""
        typed = event.character or ""
        if isinstance(self.focused, Button) and event.is_printable and typed.strip():
            field = self.query_one("#reason", Input)
            field.select_on_focus = False  # or the next letter would replace this one
            field.focus()
            field.insert_text_at_cursor(typed)
            event.stop()

    @on(Input.Changed)
    def _heed(self) -> None:
        self.query_one(Problem).tell("")
        self._check()

    def _check(self) -> None:
        self.query_one("#confirm", ArmedButton).allow(is_allowed=self._missing == ("", ""))

    @on(Input.Submitted)
    def _go_on(self, event: Input.Submitted) -> None:
        """To what is missing, else to what it was all typed for; never to Cancel."""
        field, complaint = self._missing
        if not field:
            self.query_one("#confirm").focus()
        elif field == f"#{event.input.id}":
            self.query_one(Problem).tell(complaint)
        else:
            self.query_one(field).focus()

    @on(Button.Pressed, "#confirm")
    def _confirm(self) -> None:
        if self._request is None:
            self.dismiss(self._reason)
        elif not self.query_one("#confirm").disabled:  # a second press finds it so
            self.query_one("#confirm", ArmedButton).allow(is_allowed=False)
            self._ask(partial(self._request, self._reason))

    @work()
    async def _ask(self, request: Callable[[], Future[str]]) -> None:
        problem = self.query_one(Problem)
        try:
            answer = await outcome(request(), late=problem.tell)
        except OrchestrateError as error:
            problem.tell(str(error))
            self._check()
        else:
            self.dismiss(answer)
