"""What to do with what still runs when the operator quits."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrate_tui.console import leaving
from orchestrate_tui.console.screens.question import Answer, Question
from orchestrate_tui.console.styled import lines, plain

STAY = Answer("stay", "Stay", is_grave=False)
LEAVE = Answer(leaving.LEAVE, "Leave it running", is_grave=False)
CANCEL = Answer(leaving.CANCEL, "Cancel it")


def quit_question(active: Sequence[int]) -> Question:
    """Asks with the runs named that this process works on."""
    runs = ", ".join(f"#{run_id}" for run_id in active)
    body = [
        plain(f"Still running: {runs}"),
        plain("Left running, it goes on in this process without the console, to its end."),
    ]
    return Question("Quit?", lines(body), [STAY, LEAVE, CANCEL])


def cancel_question(active: Sequence[int], word: str) -> Question:
    """Asks for `word` before runs are cancelled that touch a protected environment."""
    runs = ", ".join(f"#{run_id}" for run_id in active)
    body = plain(f"What runs of {runs} is ended, and nothing more starts.")
    return Question("Cancel and quit?", body, [STAY, CANCEL], word=word)
