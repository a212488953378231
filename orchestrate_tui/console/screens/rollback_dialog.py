"""The manual rollback: from which stage to which, what exactly that does, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.marks import Tone, stage_mark
from orchestrate_tui.console.rollback_choice import RollbackChoice, RollbackRequest, plan_lines
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.screens.question import Answer, Question
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.field import Field
from orchestrate_tui.console.widgets.problem import Problem
from orchestrate_tui.console.widgets.tick import Tick
from orchestrate_tui.errors import OrchestrateError, StalePlan
from orchestrate_tui.spec import load_pipeline

if TYPE_CHECKING:
    from orchestrate_tui.console.ports import ExecutorControl
    from orchestrate_tui.console.run_picture import RunPicture
    from orchestrate_tui.domain.rollback import RollbackPlan
    from orchestrate_tui.spec.loaded import LoadedPipeline


class RollbackDialog(Dialog[int]):
    """Puts a rollback together, has it confirmed and asks for it; answers with its id."""

    CSS_PATH = "rollback_dialog.tcss"

    def __init__(
        self,
        control: ExecutorControl,
        picture: RunPicture,
        *,
        source: str | None = None,
        target: str | None = None,
        is_retry: bool = False,
        word: str = "",
        named_database: Path | None = None,
    ) -> None:
        super().__init__()
        self._control = control
        self._picture = picture
        self._choice = RollbackChoice(picture)
        self._source = source if is_retry else self._choice.likely_source(source)
        self._target = target
        self._is_retry = is_retry
        self._word = word
        self._named_database = named_database
        self._plan: RollbackPlan | None = None
        self._definition: LoadedPipeline | None = None

    def compose(self) -> ComposeResult:
        """Both stages side by side, the plan, the reason, the command, the buttons."""
        title = f"Roll back run #{self._picture.run.id}"
        with Vertical(classes="frame") as frame:
            frame.border_subtitle = Content("Tab next · Esc close")
            frame.border_title = joined([Content(title), plain(self._picture.run.pipeline)], " ")
            with Horizontal(id="stages"):
                with Vertical():
                    yield Label("From stage")
                    yield OptionList(id="sources")
                with Vertical():
                    yield Label("Back to stage (undone too)")
                    yield OptionList(id="targets")
            with VerticalScroll(id="plan"):
                yield Static(id="steps")
            with Horizontal(id="instead"):
                yield Field("Return to", "the release before", "release")
                yield Field("Undo as in", "the run's own file", "definition")
            yield Field("Reason", "required", "reason")
            yield Tick("Undo the rest although some of it is irreversible", compact=True)
            yield Tick("Undo it although others worked there since", id="force", compact=True)
            yield Static(id="command", classes="note")
            yield Problem()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ArmedButton("Roll back…", id="confirm", is_allowed=False)

    def on_mount(self) -> None:
        """Offer the stages, the likely ones chosen."""
        self.query_one("#plan").border_title = "Plan"
        for tick in self.query(Tick):
            tick.display = False
        sources = (self._source,) if self._is_retry and self._source else self._choice.sources
        _offer(self.query_one("#sources", OptionList), sources, self._source, self._prompt)
        self.query_one("#sources").focus()

    def _prompt(self, name: str) -> Content:
        mark = stage_mark(self._picture.by_name[name].status)
        return joined([toned(mark.glyph, mark.tone), plain(name)], " ")

    def _target_prompt(self, name: str) -> Content:
        note = "" if self._choice.can_be_undone(name) else "nothing undoes it"
        return joined([self._prompt(name), toned(note, Tone.QUIET)])

    @on(OptionList.OptionHighlighted, "#sources")
    def _choose_source(self, event: OptionList.OptionHighlighted) -> None:
        if not self._is_retry:
            self._source = self._choice.sources[event.option_index]
            self._target = self._choice.likely_target(self._source)
        targets = self.query_one("#targets", OptionList)
        _offer(targets, self._targets, self._target, self._target_prompt)

    @property
    def _targets(self) -> tuple[str, ...]:
        if self._is_retry:
            return (self._target,) if self._target else ()
        return self._choice.targets(self._source) if self._source else ()

    @on(OptionList.OptionHighlighted, "#targets")
    def _choose_target(self, event: OptionList.OptionHighlighted) -> None:
        self._target = self._targets[event.option_index]
        self._plan_anew()

    @work(exclusive=True, group="plan")
    async def _plan_anew(self, note: str = "") -> None:
        """Show what the executor would do now, and a note with it."""
        if self._source is None:
            return
        request = self._request()
        try:
            self._definition = await asyncio.to_thread(_definition, request.definition)
            asked = self._control.plan_rollback(
                request.run_id,
                self._source,
                self._target,
                retry=self._is_retry,
                release=request.release,
                definition=self._definition,
            )
            plan = await outcome(asked)
        except OrchestrateError as error:
            self._plan = None
            self._complain(str(error))
        else:
            self._plan = plan
            self._complain(note)
            self._show_plan(plan)
        self._check()

    @on(Input.Changed, "#release")
    @on(Input.Changed, "#definition")
    def _forget_plan(self) -> None:
        """Wait with the plan until what is being typed is there."""
        self._plan = None

    @on(Input.Submitted, "#release")
    @on(Input.Submitted, "#definition")
    @on(Input.Blurred, "#release")
    @on(Input.Blurred, "#definition")
    def _plan_as_named(self) -> None:
        if self._plan is None:
            self._plan_anew()

    def _show_plan(self, plan: RollbackPlan) -> None:
        texts = [toned(text, tone) for text, tone in plan_lines(plan)]
        self.query_one("#steps", Static).update(lines(texts))
        count = len(plan.steps)
        self.query_one(
            "#plan"
        ).border_title = f"Plan: {count} step{'s' * (count != 1)} in this order"
        self.query_one(Tick).display = bool(plan.irreversible)
        self.query_one("#force").display = plan.must_be_forced

    @on(Input.Changed)
    @on(Tick.Changed)
    def _check(self) -> None:
        """Allow the rollback once nothing is missing, and keep the command up to date."""
        plan, request = self._plan, self._request()
        is_ready = plan is not None and not plan.refusal and bool(request.reason)
        if plan is not None and plan.irreversible:
            is_ready = is_ready and request.accepts_irreversible
        if plan is not None and plan.must_be_forced:
            is_ready = is_ready and request.is_forced
        self.query_one("#confirm", ArmedButton).allow(is_allowed=is_ready)
        self.query_one("#command", Static).update(plain(f"$ {request.command}"))

    def _request(self) -> RollbackRequest:
        return RollbackRequest(
            run_id=self._picture.run.id,
            source=self._source or "",
            target=self._target or self._source or "",
            reason=self.query_one("#reason", Input).value.strip(),
            accepts_irreversible=self.query_one(Tick).value,
            is_forced=self.query_one("#force", Tick).value,
            is_retry=self._is_retry,
            release=self.query_one("#release", Input).value.strip(),
            definition=self.query_one("#definition", Input).value.strip(),
            named_database=self._named_database,
        )

    def _complain(self, text: str) -> None:
        self.query_one(Problem).tell(text)

    @on(OptionList.OptionSelected, "#sources")
    def _go_to_targets(self) -> None:
        self.query_one("#targets").focus()

    @on(OptionList.OptionSelected, "#targets")
    def _go_to_reason(self) -> None:
        self.query_one("#reason").focus()

    @on(Input.Submitted)
    def _go_on(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#confirm")
    def _confirm(self) -> None:
        plan = self._plan
        if plan is None:
            return
        request = self._request()
        body = [
            plain(f"Undo {len(plan.steps)} step(s) of run #{request.run_id}:"),
            *(plain(f"  {number}. {step.part}") for number, step in enumerate(plan.steps, 1)),
            plain(f"Reason: {request.reason}"),
        ]
        answers = [Answer("no", "Cancel", is_grave=False), Answer("yes", "Roll back")]
        question = Question("Really roll back?", lines(body), answers, word=self._word)
        self.app.push_screen(question, self._answered)

    def _answered(self, answer: str | None) -> None:
        if answer == "yes":
            self._roll_back()

    @work(exclusive=True, group="request")
    async def _roll_back(self) -> None:
        """Ask for the rollback; when the plan is out of date, show the new one."""
        request = self._request()
        future = self._control.rollback(
            request.run_id,
            request.source,
            request.target,
            reason=request.reason,
            plan_hash=self._plan.hash if self._plan else "",
            accept_irreversible=request.accepts_irreversible,
            retry=request.is_retry,
            release=request.release,
            definition=self._definition,
            waits=True,
            force=request.is_forced,
        )
        try:
            rollback_id = await outcome(future)
        except StalePlan as error:
            self._plan_anew(str(error))
        except OrchestrateError as error:
            self._complain(str(error))
        else:
            self.dismiss(rollback_id)


def _definition(path: str) -> LoadedPipeline | None:
    """What a file says of the undos; None without a file. Raises OrchestrateError."""
    return load_pipeline(Path(path).expanduser()) if path else None


def _offer(
    stages: OptionList,
    names: Sequence[str],
    chosen: str | None,
    prompt: Callable[[str], Content],
) -> None:
    stages.clear_options()
    stages.add_options([Option(prompt(name)) for name in names])
    stages.highlighted = names.index(chosen) if chosen in names else None
