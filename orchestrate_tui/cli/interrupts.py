"""Requests to stop, while something is under way that must not be left half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, Signals, getsignal, signal
from types import FrameType
from typing import Self

from orchestrate_tui.cli.streams import lasting_output

Handler = Callable[[int, FrameType | None], object]


class Interrupts:
    """Notes Ctrl-C and SIGTERM while it is entered; whoever waits asks for them.

    A lost terminal is no request: what is under way goes on. Its handler is a function all the
    same, because every program that is started would inherit an ignored signal.
    """

    def __init__(self) -> None:
        self._latest: Signals | None = None
        self._ends = False
        self._handlers = ExitStack()

    def take(self) -> Signals | None:
        """The latest request since the last call; None without one."""
        latest, self._latest = self._latest, None
        return latest

    @contextmanager
    def ending(self) -> Iterator[None]:
        """During the block, in which nothing is under way yet, a request is a KeyboardInterrupt."""
        self._ends = True
        try:
            if self._latest is not None:
                raise KeyboardInterrupt
            yield
        finally:
            self._ends = False

    def __enter__(self) -> Self:
        for number, handler in ((SIGINT, self._note), (SIGTERM, self._note), (SIGHUP, _go_on)):
            if getsignal(number) is not SIG_IGN:  # as nohup and scripts ask for
                self._handlers.callback(signal, number, signal(number, handler))
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._latest = Signals(number)
        if self._ends:
            raise KeyboardInterrupt


def _go_on(_number: int, _frame: FrameType | None) -> None:
    pass


@contextmanager
def undisturbed() -> Iterator[Interrupts]:
    """Work here goes on without its terminal or its readers, and ends when it is done."""
    with Interrupts() as interrupts, lasting_output():
        yield interrupts
