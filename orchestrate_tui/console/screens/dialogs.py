"""The screens over the main one, each loaded when it is first asked for.

None of them is needed for the first frame. `load` has them all there before a key asks for one:
a console may run for longer than the files that it was started from stay as they were.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrate_tui.console.screens.commands import Commands, choice
    from orchestrate_tui.console.screens.decision_dialog import DecisionDialog
    from orchestrate_tui.console.screens.filter_dialog import FilterDialog
    from orchestrate_tui.console.screens.help_screen import HelpScreen
    from orchestrate_tui.console.screens.new_run_dialog import NewRunDialog
    from orchestrate_tui.console.screens.operator_releases import OperatorReleases
    from orchestrate_tui.console.screens.question import yes_or_no
    from orchestrate_tui.console.screens.quit_question import cancel_question, quit_question
    from orchestrate_tui.console.screens.readiness_screen import ReadinessScreen
    from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
    from orchestrate_tui.console.screens.rehearsal_dialog import RehearsalDialog
    from orchestrate_tui.console.screens.releases_screen import ReleasesScreen
    from orchestrate_tui.console.screens.resume_dialog import (
        ResumeDialog,
        fates,
        way_of_rollback,
    )
    from orchestrate_tui.console.screens.rollback_dialog import RollbackDialog
    from orchestrate_tui.console.screens.rollback_steps import RollbackSteps
    from orchestrate_tui.console.screens.stage_log_screen import StageLogScreen
    from orchestrate_tui.console.screens.step_dialog import StepDialog
    from orchestrate_tui.console.screens.take_over_dialog import take_over_dialog

__all__ = [
    "Commands",
    "DecisionDialog",
    "FilterDialog",
    "HelpScreen",
    "NewRunDialog",
    "OperatorReleases",
    "ReadinessScreen",
    "ReasonDialog",
    "RehearsalDialog",
    "ReleasesScreen",
    "ResumeDialog",
    "RollbackDialog",
    "RollbackSteps",
    "StageLogScreen",
    "StepDialog",
    "cancel_question",
    "choice",
    "fates",
    "quit_question",
    "take_over_dialog",
    "way_of_rollback",
    "yes_or_no",
]

_PACKAGE = "orchestrate_tui.console.screens"
_WATCHING = {
    "Commands": "commands",
    "FilterDialog": "filter_dialog",
    "HelpScreen": "help_screen",
    "ReadinessScreen": "readiness_screen",
    "ReleasesScreen": "releases_screen",
    "RollbackSteps": "rollback_steps",
    "StageLogScreen": "stage_log_screen",
    "choice": "commands",
}
_OPERATING = {
    "DecisionDialog": "decision_dialog",
    "NewRunDialog": "new_run_dialog",
    "OperatorReleases": "operator_releases",
    "ReasonDialog": "reason_dialog",
    "RehearsalDialog": "rehearsal_dialog",
    "ResumeDialog": "resume_dialog",
    "RollbackDialog": "rollback_dialog",
    "StepDialog": "step_dialog",
    "cancel_question": "quit_question",
    "fates": "resume_dialog",
    "quit_question": "quit_question",
    "take_over_dialog": "take_over_dialog",
    "way_of_rollback": "resume_dialog",
    "yes_or_no": "question",
}
_HOMES = _WATCHING | _OPERATING


def load(*, is_read_only: bool) -> None:
    """Have all of them there, or those that change nothing."""
    for home in (_WATCHING if is_read_only else _HOMES).values():
        import_module(f"{_PACKAGE}.{home}")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{_PACKAGE}.{_HOMES[name]}"), name)
