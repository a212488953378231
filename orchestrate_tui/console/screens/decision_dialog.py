"""Approving or rejecting one stage, with a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import lines, plain, toned
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.stage_detail import approval_state
from orchestrate_tui.console.widgets.word_field import WordField
from orchestrate_tui.domain.run import Decision
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate_tui.console.ports import ExecutorControl
    from orchestrate_tui.console.run_picture import RunPicture

_VERBS = {Decision.APPROVED: "Approve", Decision.REJECTED: "Reject"}


class DecisionDialog(Dialog[str]):
    """Shows who decided so far and takes one more decision; answers with what that did.

    `word` has to be typed before that; "" asks for none.
    """

    def __init__(
        self,
        control: ExecutorControl,
        picture: RunPicture,
        stage_name: str,
        decision: Decision,
        *,
        word: str = "",
    ) -> None:
        super().__init__()
        self._word = word
        self._control = control
        self._picture = picture
        self._stage_name = stage_name
        self._decision = decision

    def compose(self) -> ComposeResult:
        """The stage, its decisions so far, a comment, the buttons."""
        verb = _VERBS[self._decision]
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(f"{verb} a stage of run #{self._picture.run.id}")
            yield Static(self._about())
            with Horizontal(classes="field"):
                yield Label("Comment")
                yield Input(placeholder="optional", id="comment", compact=True)
            yield WordField(self._word)
            yield Static(id="problem", classes="problem")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ArmedButton(verb, id="confirm", is_allowed=not self._word)

    def _about(self) -> Content:
        stage = self._picture.defined[self._stage_name]
        where = f"  in {stage.environment}" if stage.environment else ""
        return lines(
            [
                plain(f"{stage.name}{where}").stylize("bold"),
                toned(f"{stage.agent}: {stage.task}", Tone.QUIET),
                toned(approval_state(self._picture, stage), Tone.ATTENTION),
                *(
                    plain(f"{one.decision} by {one.actor} for {one.entry}  {one.comment}")
                    for one in self._picture.decisions_on(stage.name)
                ),
            ]
        )

    def on_mount(self) -> None:
        """Put the focus on what changes nothing."""
        self.query_one("#cancel").focus()

    @on(Input.Changed, "#word")
    def _check(self) -> None:
        is_filled = self.query_one(WordField).is_filled
        self.query_one("#confirm", ArmedButton).allow(is_allowed=is_filled)

    @on(Input.Submitted, "#comment")
    def _go_on(self) -> None:
        self.query_one("#word" if self._word else "#confirm").focus()

    @on(Input.Submitted, "#word")
    def _go_to_buttons(self) -> None:
        self.query_one("#cancel").focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#confirm")
    @work(exclusive=True)
    async def _decide(self) -> None:
        is_approval = self._decision is Decision.APPROVED
        decide = self._control.approve if is_approval else self._control.reject
        comment = self.query_one("#comment", Input).value.strip()
        try:
            answer = await outcome(decide(self._picture.run.id, self._stage_name, comment))
        except OrchestrateError as error:
            self.query_one("#problem", Static).update(plain(str(error)))
        else:
            self.dismiss(answer)
