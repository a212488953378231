"""Asking to type the name of a protected environment before something grave is done there."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from orchestrate_tui.cli.configuration import configuration
from orchestrate_tui.cli.terminal import can_ask, confirmed
from orchestrate_tui.domain.protection import confirmation, protected_environments
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.history import History

if TYPE_CHECKING:
    from orchestrate_tui.cli.executors import AnyControl


def touched_by(history: History, run_id: int, control: AnyControl) -> tuple[str, ...]:
    """The environments that a run touches and that are protected, here or where it is executed.

    Their names have to be typed before something grave is done to it. Raises NotFound for an
    unknown run.
    """
    run, pipeline = history.run(run_id), history.definition(run_id)
    if run.simulated:
        return ()
    control.greet().result()
    return protected_environments(pipeline, configuration().protected | control.protected)


def confirm_protected(
    arguments: Namespace, history: History, run_id: int, control: AnyControl
) -> AnyControl:
    """The control for something grave, if what the run touches needs no confirmation or has it.

    It is given by --confirm, or typed where somebody can be asked. Raises Refused without.
    """
    touched = touched_by(history, run_id, control)
    if touched:
        word = confirmation(touched)
        confirm_word(arguments, word, f"Run {run_id} touches a protected environment.")
    return control.confirming(touched)


def confirm_word(arguments: Namespace, word: str, because: str) -> None:
    """Raise Refused unless the word is given."""
    if arguments.confirm is None and can_ask():
        if not confirmed(because, word=word):
            raise Refused("Not confirmed", next_step="Nothing was changed")
    elif arguments.confirm != word:
        raise Refused(because.rstrip("."), next_step=f"Confirm that with --confirm '{word}'")
