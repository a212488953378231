"""Rehearses a rollback of one run: chooses to which stage, and shows what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Label, OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.last_rehearsed import last_rehearsed
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.rehearsed import report_lines
from orchestrate_tui.console.rollback_choice import RollbackChoice
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.console.widgets.problem import Problem
from orchestrate_tui.domain.rollback_demand import EVERYTHING, RollbackDemand
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.store.rehearsals import last_rehearsal, read_rehearsal, read_report

if TYPE_CHECKING:
    from concurrent.futures import Future

    from orchestrate_tui.console.ports import ExecutorControl
    from orchestrate_tui.console.run_picture import RunPicture
    from orchestrate_tui.domain.rehearsal import Rehearsal
    from orchestrate_tui.executor.runnable import Runnable
    from orchestrate_tui.store.history import History

EACH = "each stage, by itself"


class RehearsalDialog(Dialog[None]):
    """Asks the executor, and stays with what it found; to close it gives a rehearsal up.

    What is to be rehearsed is chosen here, unless it is known: then it begins with that `demand`,
    by the undos of `definition`.
    """

    DEFAULT_CSS = """
    RehearsalDialog > .frame { width: 100%; max-width: 140; height: 100%; max-height: 44; }
    RehearsalDialog OptionList { height: auto; max-height: 4; }
    RehearsalDialog #found { height: 1fr; border-top: solid $primary; scrollbar-size: 1 1; }
    RehearsalDialog .buttons { margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False),
    ]

    def __init__(
        self,
        history: History,
        control: ExecutorControl,
        picture: RunPicture,
        clock: Clock,
        *,
        demand: RollbackDemand = EVERYTHING,
        definition: Runnable | None = None,
    ) -> None:
        super().__init__()
        self._history = history
        self._control = control
        self._picture = picture
        self._clock = clock
        self._demand = demand
        self._definition = definition
        self._targets = ("", *_targets(picture))
        self._asked: Future[int] | None = None

    def compose(self) -> ComposeResult:
        """The targets, how it went last time, what was found, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = plain(self._title)
            frame.border_subtitle = Content("Tab next · Esc close")
            yield Label("Back to stage", id="choice")
            yield OptionList(*(Option(plain(name or EACH)) for name in self._targets), id="targets")
            yield Static(id="last", classes="note")
            with VerticalScroll(id="found"):
                yield Static(_introduction(), id="report")
            yield Problem()
            with Horizontal(classes="buttons"):
                yield Button("Close", id="close", compact=True)
                yield Button("Rehearse", id="rehearse", compact=True)

    def on_mount(self) -> None:
        """Begin with all of it, or rehearse what is known."""
        targets = self.query_one(OptionList)
        targets.highlighted = 0
        targets.focus()
        find = partial(last_rehearsal, run_id=self._picture.run.id)
        self._tell_last(self._history.query(find))
        if self._is_known:
            self.query_one("#choice").display = targets.display = False
            self._begin()

    @property
    def _is_known(self) -> bool:
        return self._demand is not EVERYTHING

    @property
    def _title(self) -> str:
        run, demand = self._picture.run.id, self._demand
        if not self._is_known:
            return f"Rehearse a rollback of run #{run}"
        return f"Rehearse the rollback of run #{run} from {demand.from_stage} to {demand.to_stage}"

    def give_up(self) -> None:
        """Give up a rehearsal whose outcome nobody waits for."""
        if self._asked is not None:
            self._asked.cancel()

    def _tell_last(self, rehearsal: Rehearsal | None) -> None:
        told = last_rehearsed(rehearsal, self._clock())
        tone = Tone.BAD if rehearsal and not rehearsal.is_well else Tone.QUIET
        self.query_one("#last", Static).update(toned(told, tone))

    @on(OptionList.OptionSelected)
    def _go_on(self) -> None:
        self.query_one("#rehearse").focus()

    @on(Button.Pressed, "#close")
    def _close(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#rehearse")
    def _begin(self) -> None:
        demand = self._demand
        if not self._is_known:
            target = self._targets[self.query_one(OptionList).highlighted or 0]
            demand = RollbackDemand(to_stage=target)
        self.query_one("#rehearse").disabled = True
        self.query_one("#report", Static).update(toned("The checks are asked…", Tone.ACTIVE))
        self.query_one(Problem).tell("")
        self._rehearse(demand)

    @work(exclusive=True)
    async def _rehearse(self, demand: RollbackDemand) -> None:
        self._asked = self._control.rehearse(self._picture.run.id, demand, self._definition)
        try:
            rehearsal_id = await outcome(self._asked)
        except CancelledError:  # this page was closed
            return
        except OrchestrateError as error:
            self.query_one("#report", Static).update(_introduction())
            self.query_one(Problem).tell(str(error))
        else:
            self._show(rehearsal_id)
        self.query_one("#rehearse").disabled = False
        self.query_one("#found").focus()

    def _show(self, rehearsal_id: int) -> None:
        query = self._history.query
        self._tell_last(query(partial(read_rehearsal, rehearsal_id=rehearsal_id)))
        report = query(partial(read_report, rehearsal_id=rehearsal_id))
        texts = [toned(text, tone) for text, tone in report_lines(report)]
        self.query_one("#report", Static).update(lines(texts))


def _introduction() -> Content:
    parts = ("Runs the checks of the undos and reads the snapshots;", "nothing is undone.")
    return joined([toned(part, Tone.QUIET) for part in parts], " ")


def _targets(picture: RunPicture) -> Iterator[str]:
    """The stages to which a rollback could go, the last one first."""
    choice = RollbackChoice(picture)
    stages: Iterator[StageRun] = reversed(picture.stages)
    return (
        stage.stage_name
        for stage in stages
        if stage.stage_name in choice.targets(stage.stage_name)
        and choice.can_be_undone(stage.stage_name)
    )
