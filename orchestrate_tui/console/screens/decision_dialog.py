"""Approving or rejecting one stage, with a comment."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
from orchestrate_tui.console.styled import lines, plain, toned
from orchestrate_tui.console.widgets.stage_detail import approval_state
from orchestrate_tui.domain.run import Decision

if TYPE_CHECKING:
    from orchestrate_tui.console.ports import ExecutorControl
    from orchestrate_tui.console.run_picture import RunPicture

_VERBS = {Decision.APPROVED: "Approve", Decision.REJECTED: "Reject"}


class DecisionDialog(ReasonDialog):
    """Shows who decided so far and takes one more decision; answers with what that did.

    It begins with what changes nothing. `word` has to be typed; "" asks for none.
    """

    LABEL: ClassVar[str] = "Comment"
    FIRST: ClassVar[str] = "#cancel"

    def __init__(
        self,
        control: ExecutorControl,
        picture: RunPicture,
        stage_name: str,
        decision: Decision,
        *,
        word: str = "",
        drafts: Drafts | None = None,
    ) -> None:
        verb = _VERBS[decision]
        decide = control.approve if decision is Decision.APPROVED else control.reject
        super().__init__(
            f"{verb} a stage of run #{picture.run.id}",
            lines(_about(picture, stage_name)),
            yes=verb,
            request=partial(decide, picture.run.id, stage_name),
            required=False,
            word=word,
            drafts=drafts,
        )


def _about(picture: RunPicture, stage_name: str) -> Iterator[Content]:
    stage = picture.defined[stage_name]
    where = f"  in {stage.environment}" if stage.environment else ""
    yield plain(f"{stage.name}{where}").stylize("bold")
    yield toned(f"{stage.agent}: {stage.task}", Tone.QUIET)
    yield toned(approval_state(picture, stage), Tone.ATTENTION)
    for one in picture.decisions_on(stage.name):
        yield plain(f"{one.decision} by {one.actor} for {one.entry}  {one.comment}")
