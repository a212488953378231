"""Every key and every sign, on one page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from orchestrate_tui.console.marks import (
    ALLOWED_FAILURE,
    HELD,
    UNDONE_GLYPH,
    Mark,
    Tone,
    light_mark,
    stage_mark,
)
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, lines, toned
from orchestrate_tui.domain.readiness import Light
from orchestrate_tui.domain.status import StageStatus

_MOVING = (
    ("Tab  Shift+Tab", "next and previous pane"),
    ("1 2 3 4", "runs, stages, log, rollbacks"),
    ("arrows  h j k l", "move; in the graph along its lines"),
    ("Home End  g G", "first and last"),
    ("Enter", "open: a run, a log, a rollback"),
    ("z", "this pane on the whole screen, and back"),
    ("b", "stages as boxes or in single rows"),
    ("o", "rollbacks of this run only, or of all"),
    ("i  v", "could this run be undone; the releases"),
    ("L", "the log on the whole screen; there / n N search"),
    ("/", "show only some runs"),
    ("ctrl+p  :", "all commands"),
    ("q", "quit"),
)
_ACTING = (
    ("R", "roll back"),
    ("n", "new run"),
    ("a  x", "approve, reject the waiting stage"),
    ("c", "cancel the run"),
    ("u  U", "resume an interrupted run, take over one that hangs"),
    ("A", "acknowledge a run that went wrong: • beside its sign"),
    ("W", "unlock a protected environment for a while, or lock it"),
    ("E", "rehearse a rollback: all of it but the undos"),
    ("D  B", "decide about a step that failed, reset a breaker"),
    ("T", "try a failed rollback again"),
    ("H", "halt a rollback"),
)


class HelpScreen(Dialog[None]):
    """Shows the keys; `is_read_only` leaves out those that change anything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q", "leave", "Close", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen > .frame { width: 80; scrollbar-size: 1 1; }
    """

    def __init__(self, *, is_read_only: bool) -> None:
        super().__init__()
        self._keys = _MOVING if is_read_only else (*_ACTING, *_MOVING)

    def compose(self) -> ComposeResult:
        """The keys above the signs."""
        with VerticalScroll(classes="frame") as frame:
            frame.border_title = Content("Keys and signs")
            yield Static(lines([*self._key_lines(), Content(), *_signs()]))

    def _key_lines(self) -> Iterator[Content]:
        for key, meaning in self._keys:
            yield Content.assemble((f"{key:<17}", "bold"), meaning)


def _signs() -> Iterator[Content]:
    marks = [*map(stage_mark, StageStatus), ALLOWED_FAILURE, HELD]
    for first, second in zip_longest(marks[::2], marks[1::2]):
        yield _sign(first) + (_sign(second) if second else Content())
    yield Content()
    lights = (light_mark(one) for one in (Light.READY, Light.DOUBTFUL, Light.NOT_READY))
    known = (toned(f"{UNDONE_GLYPH}{mark.glyph} {mark.word}", mark.tone) for mark in lights)
    yield joined((*known, toned("to be undone", Tone.QUIET)))


def _sign(mark: Mark) -> Content:
    return toned(mark.glyph, mark.tone) + toned(f" {mark.word:<20}", Tone.QUIET)
