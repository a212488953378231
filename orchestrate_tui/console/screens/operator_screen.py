"""The main screen of a console that may change things: a key for everything an operator can ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.screen import Screen

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.screens import dialogs
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.screens.rollback_keys import RollbackKeys
from orchestrate_tui.console.styled import lines, plain
from orchestrate_tui.console.widgets.rollback_history import RollbackHistory
from orchestrate_tui.console.widgets.runs_list import RunsList
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.protection import confirmation
from orchestrate_tui.domain.run import Decision, Run
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, RollbackStatus, RunStatus
from orchestrate_tui.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate_tui.console.bridge import Bridge
    from orchestrate_tui.console.latch import LatchedControl
    from orchestrate_tui.console.ports import Attendance
    from orchestrate_tui.console.run_picture import RunPicture
    from orchestrate_tui.console.screens.resume_dialog import Settled
    from orchestrate_tui.store.history import History


_DEPENDENT_ACTIONS = (
    "roll_back",
    "approve",
    "reject",
    "cancel_run",
    "resume",
    "acknowledge",
    "take_over",
    "turn_latch",
    "rehearse",
    "retry_rollback",
    "halt_rollback",
    "decide_step",
    "reset_breaker",
)
"""Actions that not every run, stage or rollback allows."""


class OperatorScreen(RollbackKeys, inherit_bindings=False):
    """Opens the dialogs, and asks the executor for what has none."""

    NO_RUNS = "No runs yet: n starts one"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "roll_back", "Rollback", key_display="R", tooltip="Roll the chosen run back"),
        Binding("n", "new_run", "New", tooltip="Start a run of a pipeline"),
        Binding("a", "approve", "Approve", tooltip="Approve the waiting stage"),
        Binding("x", "reject", "Reject", tooltip="Reject the waiting stage"),
        Binding("c", "cancel_run", "Cancel", tooltip="Cancel the chosen run"),
        Binding(
            "A",
            "acknowledge",
            "Seen",
            key_display="A",
            tooltip="Say that you have seen how the run went wrong",
        ),
        Binding("u", "resume", "Resume", tooltip="Resume the interrupted run or rollback"),
        Binding(
            "U",
            "take_over",
            "Take over",
            key_display="U",
            show=False,
            tooltip="Take the run from a process that hangs",
        ),
        Binding(
            "W",
            "turn_latch",
            "Unlock",
            key_display="W",
            show=False,
            tooltip="Unlock the protected environment for a while, or lock it",
        ),
        Binding(
            "D",
            "decide_step",
            "Decide",
            key_display="D",
            tooltip="Decide how the rollback that waits goes on",
        ),
        Binding(
            "B",
            "reset_breaker",
            "Breaker",
            key_display="B",
            tooltip="Let new runs start again of what was rolled back too often",
        ),
        Binding(
            "E",
            "rehearse",
            "Rehearse",
            key_display="E",
            show=False,
            tooltip="Rehearse a rollback of the chosen run, without its undos",
        ),
        Binding("T", "retry_rollback", "Retry", key_display="T", tooltip="Try this rollback again"),
        Binding("H", "halt_rollback", "Halt", key_display="H", tooltip="Halt this rollback"),
        *MainScreen.BINDINGS,
        *Screen.BINDINGS,
    ]

    def __init__(
        self,
        history: History,
        bridge: Bridge,
        control: LatchedControl,
        *,
        files: Sequence[Path] = (),
        run_id: int | None = None,
        named_database: Path | None = None,
        attendance: Attendance | None = None,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(
            history,
            bridge,
            control,
            run_id=run_id,
            named_database=named_database,
            attendance=attendance,
            clock=clock,
        )
        self._files = files
        self._abilities = dict.fromkeys(_DEPENDENT_ACTIONS, False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the chosen run, stage or rollback allows."""
        allowed = self._abilities.get(action)
        return super().check_action(action, parameters) if allowed is None else allowed

    def offer_keys(self) -> None:
        """Find out what is allowed now; the footer is only drawn anew when that changed."""
        picture, rollback = self.picture, self._rollback_status
        abilities = {
            "roll_back": picture is not None and picture.can_be_rolled_back,
            "approve": picture is not None and picture.waiting_stage(None) is not None,
            "reject": picture is not None and picture.waiting_stage(None) is not None,
            "cancel_run": picture is not None and picture.can_be_cancelled,
            "resume": picture is not None and picture.can_be_resumed,
            "acknowledge": picture is not None and picture.can_be_acknowledged,
            "take_over": picture is not None and self._is_driven_elsewhere(picture),
            "turn_latch": bool(self._at_hand),
            "rehearse": picture is not None and picture.can_be_rehearsed,
            "retry_rollback": rollback is RollbackStatus.FAILED,
            "halt_rollback": rollback is not None and rollback not in ENDED_ROLLBACKS,
            "decide_step": bool(self.waiting),
            "reset_breaker": bool(self.breakers),
        }
        if abilities != self._abilities:
            self._abilities = abilities
            self.refresh_bindings()

    def _is_driven_elsewhere(self, picture: RunPicture) -> bool:
        return picture.is_driven and picture.run.id not in self._control.active()

    @property
    def _rollback_status(self) -> RollbackStatus | None:
        """How the rollback under the cursor stands; None while the focus is elsewhere."""
        history = self.query_one(RollbackHistory)
        return history.current.status if history.has_focus and history.current else None

    @on(DescendantFocus)
    @on(RollbackHistory.RollbackChosen)
    def _look_elsewhere(self) -> None:
        self.offer_keys()

    def _look_for_waiting(self) -> None:
        super()._look_for_waiting()
        self.offer_keys()

    def action_new_run(self) -> None:
        """Ask which run to start."""
        dialog = dialogs.NewRunDialog(self._control, self._files, self.pace)
        self.app.push_screen(dialog, self._go_to_run)

    def _go_to_run(self, run_id: int | None) -> None:
        if run_id is not None:
            self.query_one(RunsList).update_runs()
            self.choose_run(run_id)
            self._make_way_for("log")
            self.action_pane("graph")

    def action_cancel_run(self) -> None:
        """Ask whether to cancel the chosen run."""
        touched = self._environments
        if self.picture is None or not self._passes_latch(touched):
            return
        run = self.picture.run
        body = plain(f"Run #{run.id} of {run.pipeline} stops: what runs is ended, nothing starts.")
        question = dialogs.yes_or_no(
            "Cancel the run?",
            body,
            no="Keep it running",
            yes="Cancel the run",
            word=confirmation(touched),
        )
        self._ask_first(question, lambda: self._control.cancel(run.id), is_brief=True)

    def action_resume(self) -> None:
        """Ask whether to resume the chosen run."""
        picture = self.picture
        if picture is None or not self._passes_latch(self._environments):
            return
        left = picture.left_rollback
        if left is None or picture.run.status is RunStatus.INTERRUPTED:
            self._ask_how_to_resume(picture.run)
            return
        body = dialogs.way_of_rollback(left)
        question = dialogs.yes_or_no("Resume the rollback?", body, no="Cancel", yes="Resume")
        self._ask_first(question, lambda: self._control.resume(picture.run.id))

    @work(exclusive=True, group="resume")
    async def _ask_how_to_resume(self, run: Run) -> None:
        """Tell what becomes of its stages, and ask about those that are lost."""
        try:
            stages = await outcome(self._control.left_stages(run.id))
        except OrchestrateError as error:
            self._complain(error)
            return
        if any(stage.needs_settlement for stage in stages):
            self.app.push_screen(dialogs.ResumeDialog(run, stages), partial(self._resume, run.id))
            return
        body = lines([plain(f"Run #{run.id} of {run.pipeline} goes on."), dialogs.fates(stages)])
        question = dialogs.yes_or_no("Resume the run?", body, no="Cancel", yes="Resume")
        self._ask_first(question, lambda: self._control.resume(run.id))

    def _resume(self, run_id: int, settled: Settled | None) -> None:
        if settled:
            self._ask(lambda: self._control.resume(run_id, settled=settled))
        elif settled is not None:
            self.choose_run(run_id)  # the operator may have gone to another one meanwhile
            self.action_roll_back()

    def action_acknowledge(self) -> None:
        """Ask whether to say of the chosen run that somebody has seen it."""
        if self.picture is None:
            return
        run = self.picture.run
        body = plain(f"Everybody sees that you know of run #{run.id}; nothing else changes.")
        question = dialogs.yes_or_no("Acknowledge the run?", body, no="Cancel", yes="Acknowledge")
        self._ask_first(question, lambda: self._control.acknowledge(run.id), is_brief=True)

    def action_take_over(self) -> None:
        """Ask why the chosen run is taken from the process that works on it."""
        picture, touched = self.picture, self._environments
        if picture is not None and self._passes_latch(touched):
            driver = next((one for one in self._people or () if picture.driver in one.epochs), None)
            self.app.push_screen(
                dialogs.take_over_dialog(
                    picture.run, driver, word=confirmation(touched), drafts=self._drafts
                ),
                partial(self._take_from, picture.run.id),
            )

    def _take_from(self, run_id: int, reason: str | None) -> None:
        if reason is not None:
            self._ask(lambda: self._control.resume(run_id, take_over=reason))

    def action_approve(self) -> None:
        """Ask for a comment and approve the waiting stage."""
        self._decide(Decision.APPROVED)

    def action_reject(self) -> None:
        """Ask for a comment and reject the waiting stage."""
        self._decide(Decision.REJECTED)

    def _decide(self, decision: Decision) -> None:
        picture = self.picture
        stage_name = picture.waiting_stage(self.stage_name) if picture else None
        touched = self._environments
        if picture is None or stage_name is None or not self._passes_latch(touched):
            return
        word = confirmation(touched) if decision is Decision.REJECTED else ""
        dialog = dialogs.DecisionDialog(
            self._control, picture, stage_name, decision, word=word, drafts=self._drafts
        )
        self.app.push_screen(dialog, self._say)

    def action_releases(self) -> None:
        """Show the releases, pin them, and lift quarantines."""
        self._show_releases(
            dialogs.OperatorReleases(self._history, self._control, self._drafts, clock=self._clock)
        )
