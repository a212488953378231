"""Waiting for others before a command can do anything: for whom is told, and Ctrl-C ends it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from orchestrate_tui.cli.terminal import LOOK_INTERVAL_S, say
from orchestrate_tui.errors import NotAwaited

if TYPE_CHECKING:
    from orchestrate_tui.cli.executors import AnyControl

T = TypeVar("T")

SOON_S = 2.0
"""An executor answers sooner, if nothing is wrong with it."""

LONGEST_S = 3.0
"""How long whoever wants to leave still waits for those who keep all others from writing."""


class Waiting:
    """Tells for whom a command waits, and that it waits no longer."""

    def __init__(self) -> None:
        self._told = ""

    def tell(self, trouble: str) -> None:
        """Say what is new; "" is that nothing is in the way."""
        before, self._told = self._told, trouble
        if trouble and trouble != before:
            say(f"orchestrate-tui: {trouble}. That is waited for until Ctrl-C", to=sys.stderr)
        elif before and not trouble:
            say("orchestrate-tui: Nothing is in the way any more, it goes on", to=sys.stderr)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Raise NotAwaited for a Ctrl-C that ends the waiting within the block."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if not self._told:
                raise
            raise NotAwaited(
                self._told, next_step="It was not waited for, and nothing of this command is done"
            ) from interrupt


def awaited(control: AnyControl, answer: Future[T], *, unanswered: str = "") -> T:
    """What a control answers; whom it waits for is told.

    `unanswered` is said once when nobody is in the way, and there is no answer soon all the same.
    """
    waiting, began = Waiting(), monotonic()
    with waiting.heard():
        while not wait([answer], LOOK_INTERVAL_S).done:
            waiting.tell(trouble := control.trouble)
            if unanswered and not trouble and monotonic() - began > SOON_S:
                say(f"orchestrate-tui: {unanswered}", to=sys.stderr)
                unanswered = ""
        waiting.tell("")
        return answer.result()
