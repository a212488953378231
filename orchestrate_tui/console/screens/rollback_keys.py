"""The keys of the main screen that are about rollbacks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrate_tui.console.screens import dialogs
from orchestrate_tui.console.screens.latched_screen import LatchedScreen
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.rollback_history import RollbackHistory
from orchestrate_tui.domain.events import failed_steps
from orchestrate_tui.domain.protection import confirmation

if TYPE_CHECKING:
    from orchestrate_tui.console.run_picture import RunPicture
    from orchestrate_tui.console.screens.rehearsal_dialog import RehearsalDialog
    from orchestrate_tui.domain.events import RollbackEvent


class RollbackKeys(LatchedScreen):
    """Puts rollbacks together, and lets them go on, halt, or be tried again."""

    def action_roll_back(self) -> None:
        """Put a rollback of the chosen run together."""
        self._open_rollback_dialog()

    def action_retry_rollback(self) -> None:
        """Put the repetition of a failed rollback together."""
        event = self.query_one(RollbackHistory).current
        if event is not None:
            self.choose_run(event.run_id)
            self._open_rollback_dialog(repeats=event)

    def _open_rollback_dialog(self, repeats: RollbackEvent | None = None) -> None:
        """For the chosen run; `repeats` is the failed rollback that is tried again."""
        touched = self._environments
        if self.picture is not None and self._passes_latch(touched):
            dialog = dialogs.RollbackDialog(
                self._control,
                self.picture,
                source=self.stage_name,
                repeats=repeats,
                undone=self._history.undone_components(self.picture.run.id),
                rehearsal=partial(self._rehearsal_of, self.picture),
                word=confirmation(touched),
                named_database=self._named_database,
                drafts=self._drafts,
            )
            self.app.push_screen(dialog, self._go_to_rollback)

    def _go_to_rollback(self, rollback_id: int | None) -> None:
        if rollback_id is not None:
            self._say(f"Rollback {rollback_id} begins")
            self.action_pane("rollbacks")

    def action_rehearse(self) -> None:
        """Open the page on which a rollback of the chosen run is rehearsed."""
        if self.picture is not None:
            self.app.push_screen(self._rehearsal_of(self.picture))

    def _rehearsal_of(self, picture: RunPicture, **known: Any) -> RehearsalDialog:
        """The page for a run, and for what is `known` of the rollback; see RehearsalDialog."""
        control = self._control
        return dialogs.RehearsalDialog(self._history, control, picture, self._clock, **known)

    def action_halt_rollback(self) -> None:
        """Ask whether to halt a rollback."""
        event = self.query_one(RollbackHistory).current
        if event is None or event.id is None:
            return
        rollback_id = event.id
        touched = self._control.environments(event.run_id)
        if not self._passes_latch(touched):
            return
        body = plain(
            f"Rollback {rollback_id} stops at its present step and is failed; that is final."
        )
        question = dialogs.yes_or_no(
            "Halt the rollback?",
            body,
            no="Let it go on",
            yes="Halt it",
            word=confirmation(touched),
        )
        reason = "halted in the console"
        self._ask_first(question, lambda: self._control.halt(rollback_id, reason), is_brief=True)

    def action_decide_step(self) -> None:
        """Ask how a rollback that waits goes on: that of the chosen run, or the newest one."""
        chosen = self.picture.run.id if self.picture else None
        first = sorted(self.waiting, key=lambda event: event.run_id != chosen)[:1]
        for event in first:
            touched = self._control.environments(event.run_id)
            if self._passes_latch(touched):
                self._open_step_dialog(event, confirmation(touched))

    def _open_step_dialog(self, event: RollbackEvent, word: str) -> None:
        identity = event.id or 0
        for step in failed_steps(self._history.steps(identity))[:1]:
            from orchestrate_tui.executor.notices import last_lines  # noqa: PLC0415  (see dialogs)

            path = self._history.undo_log_path(event.run_id, identity, step.part, step.attempt)
            dialog = dialogs.StepDialog(
                self._control, event, step, last_lines(path), word=word, drafts=self._drafts
            )
            self.app.push_screen(dialog, self._say)

    def action_reset_breaker(self) -> None:
        """Ask why new runs may go again to the environment of the newest breaker."""
        from orchestrate_tui.domain.release import Ruling  # noqa: PLC0415  (for who rules)

        for breaker in self.breakers[:1]:
            touched = self._control.environments(breaker.run_id)
            if self._passes_latch(touched):
                dialog = dialogs.ReasonDialog(
                    "Let new runs start again?",
                    plain(f"{breaker.sentence}."),
                    yes="Let them start",
                    request=partial(self._control.rule, Ruling.RESET, breaker.id),
                    word=confirmation(touched),
                    drafts=self._drafts,
                )
                self.app.push_screen(dialog, self._say)
