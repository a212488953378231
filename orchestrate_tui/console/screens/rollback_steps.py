"""One rollback in full: who, why, and each step with its status, time and log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.durations import Clock, clock, duration, elapsed_s
from orchestrate_tui.console.marks import ARROW, Tone, rollback_mark, step_mark
from orchestrate_tui.console.rhythm import LOOKS_PER_SECOND
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.screens.log_screen import LogScreen
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.domain.headings import headings
from orchestrate_tui.domain.moments import utc_now

if TYPE_CHECKING:
    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.store.history import History


class RollbackSteps(Dialog[None]):
    """Shows the steps as they are carried out; Enter opens the log of one."""

    CSS_PATH = "rollback_steps.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False),
    ]

    def __init__(self, history: History, rollback_id: int, *, clock: Clock = utc_now) -> None:
        super().__init__()
        self._history = history
        self._rollback_id = rollback_id
        self._clock = clock
        self._steps: Sequence[RollbackStep] = ()

    def compose(self) -> ComposeResult:
        """What the rollback is, above its steps."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(f"Rollback {self._rollback_id}")
            yield Static(id="about")
            yield OptionList(id="steps")
            yield Static("Enter: the log of a step   Esc: close", classes="note")

    def on_mount(self) -> None:
        """Show it, and what becomes of it."""
        self._read()
        self.query_one(OptionList).focus()
        self.set_interval(1 / LOOKS_PER_SECOND * 5, self._read)

    def _read(self) -> None:
        event = self._history.rollback(self._rollback_id)
        self._steps = self._history.steps(self._rollback_id)
        self.query_one("#about", Static).update(lines(_about(event, self._clock())))
        shown, options = self.query_one(OptionList), list(_options(self._steps, self._clock()))
        if shown.option_count != len(options):
            shown.clear_options()
            shown.add_options(options)
            shown.highlighted = next((n for n, one in enumerate(options) if one.id), None)
        for index, option in enumerate(options):
            if shown.get_option_at_index(index).prompt != option.prompt:
                shown.replace_option_prompt_at_index(index, option.prompt)

    @on(OptionList.OptionSelected)
    def _open_log(self, event: OptionList.OptionSelected) -> None:
        step = self._steps[int(event.option_id or 0)]
        run_id = self._history.rollback(self._rollback_id).run_id
        path = self._history.undo_log_path(run_id, self._rollback_id, step.part, step.attempt)
        title = plain(f"Undo of {step.part} by rollback {self._rollback_id}")
        self.app.push_screen(LogScreen(path, title, "This step wrote nothing"))


def _about(event: RollbackEvent, now: datetime) -> Iterator[Content]:
    mark = rollback_mark(event)
    route = f"{event.failed_stage_name} {ARROW} {event.rollback_to_stage}"
    seconds = elapsed_s(event.started_at, event.completed_at, now)
    yield joined(
        [
            toned(f"{mark.glyph} {mark.word}", mark.tone),
            plain(f"run #{event.run_id}"),
            plain(route),
            plain("" if seconds is None else duration(seconds)),
        ]
    )
    yield toned(
        f"{event.trigger_type} by {event.actor or 'the executor'}, {clock(event.created_at, now)}"
        + (f", repeats rollback {event.retry_of}" if event.retry_of else ""),
        Tone.QUIET,
    )
    if event.narrowing:
        yield plain(f"Undoes {event.narrowing}")
    if event.reason:
        yield plain(f"Reason: {event.reason}")
    if event.error_message:
        yield toned(f"Error: {event.error_message}", Tone.BAD)


def _options(steps: Sequence[RollbackStep], now: datetime) -> Iterator[Option]:
    """A line for each step, those in different environments apart."""
    places = headings([step.environment for step in steps])
    for index, (step, heading) in enumerate(zip(steps, places, strict=True)):
        if heading:
            yield Option(toned(heading, Tone.ACTIVE), disabled=True)
        yield Option(_step_line(step, now), id=str(index))


def _step_line(step: RollbackStep, now: datetime) -> Content:
    mark = step_mark(step.status)
    seconds = elapsed_s(step.started_at, step.completed_at, now)
    return joined(
        [
            toned(f"{mark.glyph} {step.position + 1}. {step.part}", mark.tone),
            plain(f"{step.agent}: {step.task}" if step.task else "put back its snapshot"),
            toned("" if seconds is None else duration(seconds), Tone.QUIET),
            toned(step.error_message, mark.tone),
        ]
    )
