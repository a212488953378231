"""What commands print for people, and ask them."""

from __future__ import annotations

import select
import sys
import termios
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from orchestrate_tui.domain.text import visible

LOOK_INTERVAL_S = 0.1


def say(text: str = "", *, to: TextIO | None = None) -> None:
    """Print one line, with what could move the cursor made visible."""
    print(visible(text), file=to or sys.stdout, flush=True)


def local(moment: datetime | None) -> str:
    """A moment in local time, to the second; "" for None."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def has_screen() -> bool:
    """Whether there is a terminal to type on and to draw on."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def can_ask() -> bool:
    """Whether somebody sees a question and can answer it."""
    return sys.stdin.isatty() and (sys.stderr.isatty() or sys.stdout.isatty())


def confirmed(
    question: str, decided: Callable[[], bool | None] = lambda: None, *, word: str = ""
) -> bool:
    """Whether the answer to a question is yes; no answer, and what was typed before, is no.

    With a `word` that is to be typed for a yes. `decided` is asked again and again meanwhile, and
    answers too unless it says None.
    """
    stream = sys.stderr if sys.stderr.isatty() else sys.stdout
    _forget_what_was_typed()
    how = f"Type {word} to confirm: " if word else "[y/N] "
    print(visible(f"{question} {how}"), end="", file=stream, flush=True)
    while not select.select([sys.stdin], [], [], LOOK_INTERVAL_S)[0]:
        answer = decided()
        if answer is not None:
            print(file=stream, flush=True)
            return answer
    said = sys.stdin.readline().strip()
    return said == word if word else said.lower() in {"y", "yes"}


def _forget_what_was_typed() -> None:
    try:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    except termios.error:
        return  # the terminal is gone: nobody answers
