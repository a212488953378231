"""A light for each stage of a run: whether it could be undone now, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.last_rehearsed import last_rehearsed
from orchestrate_tui.console.looking import Looking
from orchestrate_tui.console.marks import Tone, light_mark
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.readiness import Light, Readiness, SnapshotState
from orchestrate_tui.executor.readiness import run_readiness
from orchestrate_tui.store.rehearsals import last_rehearsal

if TYPE_CHECKING:
    from orchestrate_tui.store.history import History

LOOK_INTERVAL_S = 1.0


class ReadinessScreen(Dialog[None]):
    """Shows them as they change."""

    DEFAULT_CSS = """
    ReadinessScreen > .frame { max-width: 140; }
    ReadinessScreen OptionList { height: auto; max-height: 30; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False),
    ]

    def __init__(self, history: History, run_id: int, *, clock: Clock = utc_now) -> None:
        super().__init__()
        self._clock = clock
        self._history = history
        self._run_id = run_id
        self._looking = Looking(history, run_readiness)

    def compose(self) -> ComposeResult:
        """The stages in the order of the file, below how many are ready."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(f"Could run #{self._run_id} be undone?")
            frame.border_subtitle = Content("Esc close")
            yield Static("Looking at the stages…", id="heading")
            yield OptionList(id="stages")

    def on_mount(self) -> None:
        """Show them, and what becomes of them."""
        self._look()
        self.query_one(OptionList).focus()
        self.set_interval(LOOK_INTERVAL_S, self._look_again)

    def give_up(self) -> None:
        """Find nothing more out."""
        self._looking.close()

    def _look_again(self) -> None:
        """Look again when something was committed."""
        if self._looking.is_due(self._run_id):
            self._look()

    @work
    async def _look(self) -> None:
        self._show(await outcome(self._looking.look(self._run_id)))

    def _show(self, found: tuple[Readiness, ...]) -> None:
        able = sum(one.light in {Light.READY, Light.DOUBTFUL} for one in found)
        at_all = sum(one.light is not Light.IDLE for one in found)
        rehearsal = self._history.query(partial(last_rehearsal, run_id=self._run_id))
        self.query_one("#heading", Static).update(
            joined(
                [
                    plain(f"{able} of {at_all} stages with effects can be undone;"),
                    toned(last_rehearsed(rehearsal, self._clock()), Tone.QUIET),
                ],
                " ",
            )
        )
        stages = self.query_one(OptionList)
        before = stages.highlighted
        stages.clear_options()
        stages.add_options([Option(joined(_line(one))) for one in found])
        stages.highlighted = before or 0


def _line(one: Readiness) -> Iterator[Content]:
    mark = light_mark(one.light)
    yield toned(f"{mark.glyph} {one.stage_name}", mark.tone)
    yield toned("; ".join(one.problems) or mark.word, mark.tone if one.problems else Tone.QUIET)
    if one.light is Light.IDLE:
        return
    if one.agent:
        yield toned(f"by {one.agent}", Tone.QUIET)
    if one.snapshot is not SnapshotState.NOT_ASKED:
        yield toned(f"snapshot {one.snapshot}", Tone.QUIET)
    if one.release is not None:
        yield toned(f"back to release {one.release}", Tone.QUIET)
