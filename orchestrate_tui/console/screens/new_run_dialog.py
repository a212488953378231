"""Starting a run: which pipeline, with which variables, for what."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.latch import latch_text
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.new_run import pipeline_files, problems, trigger_of
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import lines, plain, toned
from orchestrate_tui.console.text import visible
from orchestrate_tui.console.widgets.field import Field
from orchestrate_tui.console.widgets.status_line import StatusLine
from orchestrate_tui.console.widgets.tick import Tick
from orchestrate_tui.errors import OrchestrateError, PipelineFileError, Problem, Severity
from orchestrate_tui.spec import LoadedPipeline, load_pipeline

if TYPE_CHECKING:
    from orchestrate_tui.console.latch import LatchedControl
    from orchestrate_tui.console.pace import Pace
    from orchestrate_tui.domain.run import TriggerContext

MOST_PROBLEMS = 2


class NewRunDialog(Dialog[int]):
    """Puts a run together and starts it; answers with its id."""

    CSS_PATH = "new_run_dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start", show=False),
        Binding("W", "turn_latch", "Unlock", show=False),
    ]

    def __init__(self, control: LatchedControl, files: Sequence[Path], pace: Pace) -> None:
        super().__init__()
        self._control = control
        self._pace = pace
        self._files = pipeline_files(files, Path())
        self._loaded: LoadedPipeline | None = None
        self._is_starting = False
        self._declared: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The files, the fields of the chosen pipeline, what is wrong, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content("New run")
            frame.border_subtitle = Content("Tab next · Ctrl+S start · Esc close")
            yield OptionList(*(Option(plain(str(path))) for path in self._files), id="files")
            with VerticalScroll(id="fields", can_focus=False):
                yield Field("Other file", "a path", "path")
                yield Vertical(id="variables")
                yield Field("More variables", "NAME=VALUE, separated by spaces", "more")
                yield Field("Branch", "none", "branch")
                yield Field("Labels", "none", "labels")
                yield Field("Changed paths", "unknown; - when nothing changed", "changed")
                yield Tick("Simulate: run no agent, change nothing", compact=True)
            yield Static(id="state")
            yield StatusLine()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Start", id="start", variant="primary", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Choose the first file."""
        self.set_interval(1, self._show_latch)
        if self._files:
            self.query_one(OptionList).highlighted = 0
            self.query_one(OptionList).focus()
        else:
            self.query_one("#path").focus()
            self._say([plain("No pipeline file here; give the path of one")])

    @on(OptionList.OptionHighlighted)
    def _choose(self, event: OptionList.OptionHighlighted) -> None:
        self._load(self._files[event.option_index])

    @on(Input.Changed, "#path")
    def _forget(self, event: Input.Changed) -> None:
        """Start nothing else while the path of another file is being typed."""
        if event.value.strip():
            self.workers.cancel_group(self, "load")
            self._loaded = None
            self._say([plain("Enter reads this file")])

    @on(Input.Submitted, "#path")
    @on(Input.Blurred, "#path")
    def _choose_other(self, event: Input.Submitted | Input.Blurred) -> None:
        path, place = event.value.strip(), self.query_one(OptionList).highlighted
        if path and (self._loaded is None or isinstance(event, Input.Submitted)):
            self._load(Path(os.path.expanduser(path)))  # noqa: PTH111  (never raises)
        elif self._loaded is None and place is not None:
            self._load(self._files[place])

    @work(exclusive=True, group="load")
    async def _load(self, path: Path) -> None:
        """Read a pipeline and show its variables."""
        self._loaded = None
        self._check()
        try:
            loaded = await asyncio.to_thread(load_pipeline, path)
        except PipelineFileError as error:
            self._say([_told(problem) for problem in sorted(error.problems, key=_is_warning)])
            return
        # as a field shows them; one that is left as it is keeps the value of the file
        self._declared = {name: visible(value) for name, value in loaded.pipeline.variables}
        variables = self.query_one("#variables")
        await variables.remove_children()
        await variables.mount_all(
            Field(name, "empty", value=value) for name, value in self._declared.items()
        )
        self._loaded = loaded
        self._check()

    @on(Input.Changed)
    @on(Tick.Changed)
    def _check(self) -> None:
        """Say what stands in the way; without anything the run can be started."""
        start = self.query_one("#start", Button)
        start.disabled = True
        self._show_latch()
        if self._loaded is None:
            return
        try:
            found = problems(self._loaded, self._trigger(), simulated=self._is_simulated)
        except (ValueError, OrchestrateError) as error:
            found = (str(error),)
        start.disabled = bool(found)
        self._say([toned(text, Tone.BAD) for text in found] or list(self._summary()))

    def _summary(self) -> Iterator[Content]:
        if self._loaded is not None:
            pipeline = self._loaded.pipeline
            yield plain(f"{pipeline.name}: {len(pipeline.stages)} stages. {pipeline.description}")
            for warning in self._loaded.warnings:
                yield _told(warning)

    @property
    def _environments(self) -> tuple[str, ...]:
        """The protected environments that the run would touch."""
        if self._loaded is None:
            return ()
        latch = self._control.latch
        return latch.environments(self._loaded.pipeline, simulated=self._is_simulated)

    def _show_latch(self) -> None:
        """Say whether this console is locked for the run, or for how long it is not."""
        latch = latch_text(self._control.latch, self._environments)
        self.query_one(StatusLine).show((latch,))

    def action_turn_latch(self) -> None:
        """Unlock what the run would touch for a while, or lock it again."""
        self._control.latch.turn(self._environments)
        self._check()

    @property
    def _is_simulated(self) -> bool:
        return self.query_one(Tick).value

    def _trigger(self) -> TriggerContext:
        inputs = self.query_one("#variables").query(Input)
        return trigger_of(
            dict(zip(self._declared, (field.value for field in inputs), strict=True)),
            self._declared,
            more=self._value("more"),
            branch=self._value("branch"),
            labels=self._value("labels"),
            changed=self._value("changed"),
        )

    def _value(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value

    def _say(self, texts: Sequence[Content]) -> None:
        left_out = len(texts) - MOST_PROBLEMS
        rest = [plain(f"and {left_out} more")] if left_out > 0 else []
        self.query_one("#state", Static).update(lines([*texts[:MOST_PROBLEMS], *rest]))

    def _say_late(self, text: str) -> None:
        self._say([toned(text, Tone.ATTENTION)])

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def _go_on(self) -> None:
        self.focus_next()

    @on(Tick.Passed)
    def _go_to_start(self) -> None:
        """The tick is the last field; what keeps the run from starting is said below it."""
        start = self.query_one("#start")
        if not start.disabled:
            start.focus()

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Start the run, if nothing stands in the way."""
        if not self.query_one("#start").disabled and not self._is_starting:
            self._start()

    @work(group="start")
    async def _start(self) -> None:
        if self._loaded is None:
            return
        self._is_starting = True
        future = self._control.start_run(
            self._loaded, self._trigger(), simulated=self._is_simulated
        )
        try:
            run_id = await outcome(future, late=self._say_late)
        except OrchestrateError as error:
            self._is_starting = False
            self._say([toned(text, Tone.BAD) for text in error.lines])
            self.query_one("#start").focus()  # where W is a key, and no letter that is typed
        else:
            await self._pace.give_way()
            self.dismiss(run_id)


def _told(problem: Problem) -> Content:
    return toned(str(problem), Tone.ATTENTION if _is_warning(problem) else Tone.BAD)


def _is_warning(problem: Problem) -> bool:
    return problem.severity is Severity.WARNING
