"""The manual rollback: from which stage to which, what exactly that does, and why."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.marks import Tone, stage_mark
from orchestrate_tui.console.rollback_choice import (
    RollbackChoice,
    RollbackRequest,
    although,
    missing,
    question_lines,
)
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.screens.question import yes_or_no
from orchestrate_tui.console.styled import joined, lines, plain, toned
from orchestrate_tui.console.widgets.field import Field
from orchestrate_tui.console.widgets.plan_view import PlanView
from orchestrate_tui.console.widgets.problem import Problem
from orchestrate_tui.console.widgets.tick import Tick
from orchestrate_tui.console.widgets.tick_list import TickList
from orchestrate_tui.errors import OrchestrateError, StalePlan
from orchestrate_tui.spec import load_pipeline

if TYPE_CHECKING:
    from orchestrate_tui.console.ports import ExecutorControl
    from orchestrate_tui.console.run_picture import RunPicture
    from orchestrate_tui.domain.events import RollbackEvent
    from orchestrate_tui.domain.rollback_demand import RollbackDemand
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.spec.loaded import LoadedPipeline


class RollbackDialog(Dialog[int]):
    """Puts a rollback together, has it confirmed and asks for it; answers with its id.

    `source` is the stage to begin with, `repeats` the failed rollback that is tried again, with
    all that it was to do; `undone` are the components of stages that were undone before. `word`
    has to be typed at the end; "" asks for none. `rehearsal` makes the page that rehearses what
    was put together.
    """

    CSS_PATH = "rollback_dialog.tcss"

    def __init__(
        self,
        control: ExecutorControl,
        picture: RunPicture,
        *,
        source: str | None = None,
        repeats: RollbackEvent | None = None,
        undone: Mapping[str, frozenset[str]],
        rehearsal: Callable[..., Dialog[None]],
        word: str = "",
        named_database: Path | None = None,
        drafts: Drafts | None = None,
    ) -> None:
        super().__init__()
        self._drafts = {} if drafts is None else drafts
        self._planned = asyncio.Event()
        self._planned.set()
        self._passed: Widget | None = None
        self._control = control
        self._picture = picture
        self._choice = RollbackChoice(picture, undone)
        self._repeats = repeats
        self._source = repeats.failed_stage_name if repeats else self._choice.likely_source(source)
        self._target = repeats.rollback_to_stage if repeats else None
        self._rehearsal = rehearsal
        self._word = word
        self._named_database = named_database
        self._plan: RollbackPlan | None = None
        self._definition: LoadedPipeline | None = None

    def compose(self) -> ComposeResult:
        """What is undone, the plan, why, the command, the buttons."""
        with Vertical(classes="frame") as frame:
            frame.border_subtitle = Content("Enter next · Tab every field · Space tick · Esc close")
            frame.border_title = plain(self._title)
            with Horizontal(id="stages"):
                with Vertical():
                    yield Label("From stage")
                    yield OptionList(id="sources")
                with Vertical():
                    yield Label("Back to stage (undone too)")
                    yield OptionList(id="targets")
                with Vertical(id="parts"):
                    yield Label("Components")
                    yield TickList(id="components")
            yield PlanView(id="plan")
            yield Tick("Undo it alone", id="alone", compact=True)
            yield Field("Reason", "required", "reason", self._drafts.get(self._title, ""))
            with Horizontal(id="instead"):
                again = "as it was to" if self._repeats else ""
                yield Field("Return to", again or "the release before", "release")
                yield Field("Undo as in", again or "the run's own file", "definition")
            yield Tick(
                "Undo the rest although some of it is irreversible", id="accept", compact=True
            )
            yield Tick("Undo it all the same", id="force", compact=True)
            yield Static(id="command", classes="note")
            yield Problem()
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(
                    "Roll back…", id="confirm", variant="error", compact=True, disabled=True
                )
                yield Button("Rehearse…", id="rehearse", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Offer the stages, the likely ones chosen."""
        for tick in self.query(Tick):
            tick.display = False
        self.query_one("#parts").display = self._has_parts
        sources = (self._source,) if self._repeats and self._source else self._choice.sources
        _offer(self.query_one("#sources", OptionList), sources, self._source, self._prompt)
        self.query_one("#reason" if self._repeats else "#sources").focus()

    @property
    def _title(self) -> str:
        run = f"run #{self._picture.run.id} {self._picture.run.pipeline}"
        if self._repeats is None:
            return f"Roll back {run}"
        only = f", {self._repeats.narrowing}" if self._repeats.narrowing else ""
        return f"Try rollback {self._repeats.id} of {run} again{only}"

    @property
    def _has_parts(self) -> bool:
        """Whether components are to be chosen; a repetition has those of the first."""
        return bool(self._choice.components) and self._repeats is None

    def _prompt(self, name: str) -> Content:
        mark = stage_mark(self._picture.by_name[name].status)
        return joined([toned(mark.glyph, mark.tone), plain(name)], " ")

    def _target_prompt(self, name: str) -> Content:
        note = "" if self._choice.can_be_undone(name) else "no undo"
        return joined([self._prompt(name), toned(note, Tone.QUIET)])

    @on(OptionList.OptionHighlighted, "#sources")
    def _choose_source(self, event: OptionList.OptionHighlighted) -> None:
        if self._repeats is None:
            self._source = self._choice.sources[event.option_index]
            self._target = self._choice.likely_target(self._source)
        targets = self.query_one("#targets", OptionList)
        _offer(targets, self._targets, self._target, self._target_prompt)

    @property
    def _targets(self) -> tuple[str, ...]:
        if self._repeats is not None:
            return (self._target,) if self._target else ()
        return self._choice.targets(self._source) if self._source else ()

    @on(OptionList.OptionHighlighted, "#targets")
    def _choose_target(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_id not in self._targets:
            return  # this is about the stage that was chosen before
        self._target = event.option_id
        gone = self._choice.undone.get(self._target, frozenset())
        self.query_one(TickList).offer(self._choice.components, gone)
        self._plan_soon()

    @on(TickList.Turned)
    @on(Tick.Changed, "#alone")
    def _narrow(self) -> None:
        self._plan_soon()

    def _plan_soon(self, note: str = "") -> None:
        """Show what the executor would do now, and a note with it."""
        if self._source is not None:
            self._plan = None
            self._planned.clear()
            self._plan_anew(note)

    async def caught_up(self) -> None:
        """Return once the plan is there that the keys so far have asked for."""
        await self._planned.wait()

    @work(exclusive=True, group="plan")
    async def _plan_anew(self, note: str) -> None:
        request = self._request()
        if self._has_parts and not self.query_one(TickList).ticked:
            self._complain("Tick a component that is to be undone")
        else:
            await self._ask_for_plan(request, note)
        self._check()
        self._planned.set()
        if self._passed is not None and self._passed is self.focused:
            self._go_on()

    async def _ask_for_plan(self, request: RollbackRequest, note: str) -> None:
        try:
            self._definition = await asyncio.to_thread(_definition, request.definition)
            asked = self._control.plan_rollback(request.run_id, request.demand(), self._definition)
            plan = await outcome(asked)
        except OrchestrateError as error:
            self._complain(str(error))
        else:
            self._plan = plan
            self._complain(note)
            self._show_plan(plan)

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
            self._plan_soon()

    def _show_plan(self, plan: RollbackPlan) -> None:
        self.query_one(PlanView).show(plan)
        is_narrowable = self._repeats is None and (len(plan.scope) > 1 or not plan.cascade)
        alone = self.query_one("#alone", Tick)
        alone.display = is_narrowable
        alone.label = plain(f"Undo {plan.target} alone; what came after it stays")
        self.query_one("#accept").display = bool(plan.irreversible)
        force = self.query_one("#force", Tick)
        force.display = plan.must_be_forced
        force.label = plain(although(plan))

    @on(Input.Changed)
    @on(Tick.Changed)
    def _heed(self) -> None:
        if self._plan is not None:
            self._complain("")
        self._check()

    def _check(self) -> None:
        """Allow the rollback once nothing is missing, and keep the command up to date."""
        request = self._request()
        is_ready = self._plan is not None and missing(self._plan, request) is None
        self.query_one("#confirm").disabled = not is_ready
        self.query_one("#rehearse").disabled = self._plan is None
        self.query_one("#command", Static).update(plain(f"$ {request.command}"))

    def _request(self) -> RollbackRequest:
        return RollbackRequest(
            run_id=self._picture.run.id,
            source=self._source or "",
            target=self._target or self._source or "",
            reason=self._text("reason"),
            accepts_irreversible=self._is_ticked("accept"),
            is_forced=self._is_ticked("force"),
            is_retry=self._repeats is not None,
            release=self._text("release"),
            definition=self._text("definition"),
            components=self._components,
            cascade=not self._is_ticked("alone"),
            named_database=self._named_database,
        )

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    def _is_ticked(self, name: str) -> bool:
        tick = self.query_one(f"#{name}", Tick)
        return tick.value and tick.display

    @property
    def _components(self) -> tuple[str, ...]:
        """The chosen ones; none where all are, so that what has none is undone too."""
        ticked = self.query_one(TickList).ticked
        return () if ticked == self._choice.components or not self._has_parts else ticked

    def _complain(self, text: str) -> None:
        self.query_one(Problem).tell(text)

    @on(OptionList.OptionSelected, "#sources")
    def _go_to_targets(self) -> None:
        self.query_one("#targets").focus()

    @on(OptionList.OptionSelected, "#targets")
    def _go_to_parts(self) -> None:
        self.query_one("#components" if self._has_parts else "#reason").focus()

    @on(OptionList.OptionSelected, "#components")
    def _go_to_reason(self) -> None:
        self.query_one("#reason").focus()

    @on(Input.Submitted)
    @on(Tick.Passed)
    def _go_on(self) -> None:
        """To what is missing, else to the question whether; never to Cancel.

        While the plan is being made that waits for it, if nobody goes elsewhere meanwhile.
        """
        self._passed = None
        if not self._planned.is_set():
            self._passed = self.focused
        elif (lack := missing(self._plan, self._request())) is None:
            self.query_one("#confirm").focus()
        elif lack.place and not self.query_one(lack.place).has_focus:
            self.query_one(lack.place).focus()
        elif self._plan is not None:  # else it says already why there is none
            self._complain(lack.sentence)

    @on(Button.Pressed, "#confirm")
    def _confirm(self) -> None:
        plan = self._plan
        if plan is not None and self.is_current:
            request = self._request()
            body = lines(toned(text, tone) for text, tone in question_lines(plan, request))
            question = yes_or_no(
                "Really roll back?", body, no="Cancel", yes="Roll back", word=self._word
            )
            demand, definition = request.demand(plan.hash), self._definition
            self.app.push_screen(question, partial(self._answered, demand, definition))

    @on(Button.Pressed, "#rehearse")
    def _rehearse(self) -> None:
        demand, definition = self._request().demand(), self._definition
        self.app.push_screen(self._rehearsal(demand=demand, definition=definition))

    def _answered(
        self, demand: RollbackDemand, definition: LoadedPipeline | None, answer: str | None
    ) -> None:
        if answer == "yes":
            self._roll_back(demand, definition)

    @work(exclusive=True, group="request")
    async def _roll_back(self, demand: RollbackDemand, definition: LoadedPipeline | None) -> None:
        """Ask for what was confirmed; when the plan is out of date, show the new one."""
        try:
            asked = self._control.rollback(self._picture.run.id, demand, definition)
            rollback_id = await outcome(asked, late=self._complain)
        except StalePlan as error:
            self._plan_soon(str(error))
        except OrchestrateError as error:
            self._complain(str(error))
        else:
            self.dismiss(rollback_id)

    def dismiss(self, result: int | None = None) -> AwaitComplete:
        """Close; when nothing was asked for, the reason is kept for the next time."""
        self.keep_draft(self._drafts, self._title, "" if result else self._text("reason"))
        return super().dismiss(result)


def _definition(path: str) -> LoadedPipeline | None:
    """What a file says of the undos; None without a file. Raises OrchestrateError."""
    return load_pipeline(Path(os.path.expanduser(path))) if path else None  # noqa: PTH111  (never raises)


def _offer(
    stages: OptionList,
    names: Sequence[str],
    chosen: str | None,
    prompt: Callable[[str], Content],
) -> None:
    stages.clear_options()
    stages.add_options([Option(prompt(name), id=name) for name in names])
    stages.highlighted = names.index(chosen) if chosen in names else None
