"""Asking to type the name of a protected environment before something grave is done there."""

from __future__ import annotations

from argparse import Namespace

from orchestrate_tui.cli.configuration import configuration
from orchestrate_tui.cli.terminal import can_ask, typed
from orchestrate_tui.domain.protection import confirmation, protected_environments
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.history import History


def word_for(history: History, run_id: int) -> str:
    """What has to be typed before something grave is done to a run; "" for nothing.

    Raises NotFound for an unknown run.
    """
    run, pipeline = history.run(run_id), history.definition(run_id)
    if run.simulated:
        return ""
    return confirmation(protected_environments(pipeline, configuration().protected))


def confirm_protected(arguments: Namespace, history: History, run_id: int) -> None:
    """Raise Refused unless what the run touches needs no confirmation, or it is given.

    It is given by --confirm, or typed where somebody can be asked.
    """
    word = word_for(history, run_id)
    if word:
        confirm_word(arguments, word, f"Run {run_id} touches a protected environment.")


def confirm_word(arguments: Namespace, word: str, because: str) -> None:
    """Raise Refused unless the word is given."""
    if arguments.confirm is None and can_ask():
        if not typed(f"{because} Type {word} to go on: ", word):
            raise Refused("Not confirmed", next_step="Nothing was changed")
    elif arguments.confirm != word:
        raise Refused(because.rstrip("."), next_step=f"Confirm that with --confirm '{word}'")
