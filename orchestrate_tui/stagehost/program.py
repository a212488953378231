"""A program that a stage host has started, and what it knows of it."""

from __future__ import annotations

import os
import signal

from orchestrate_tui.stagehost import trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrate_tui.stagehost.clients import Client
    from orchestrate_tui.stagehost.masked_sink import MaskedSink
    from orchestrate_tui.stagehost.wire import Message


class Program:
    """A program that was started, until nothing is left of it.

    Nothing of it began before `started_s`, on the clock of the boot.
    `client` is who controls it; it `is_let_go` when nobody does, although a client may still be
    told of it. `due_s` is when the host does something about it by itself, on that clock; None is
    never. `sink` masks its log, until that is whole: then, or at
    `whole_s` at the latest, its end is told. Once it `is_doomed`, what is still found of it is
    killed again: what forks and ends all the time may have escaped.
    """

    def __init__(
        self,
        key: str,
        pid: int,
        mark: int | None,
        request: Message,
        client: Client,
        *,
        started_s: float,
    ) -> None:
        self.key = key
        self.tree = trees.Tree(
            pid,
            mark,
            variable=os.fsencode(request["variable"]),
            keeps_services=request["leaves_processes"],
        )
        self.grace_s: float = request.get("grace_s", 0.0)
        self.started_s = started_s
        timeout_s = request.get("timeout_s")
        self.limit_s = None if timeout_s is None else self.started_s + timeout_s
        self.client: Client | None = client
        self.code: int | None = None
        self.timed_out = self.stopped = self.is_doomed = self.is_let_go = False
        self.next_signal = signal.SIGTERM
        self.due_s: float | None = None
        self.watched: dict[int, int] = {}
        self.sink: MaskedSink | None = None
        self.whole_s: float | None = None

    @property
    def is_being_ended(self) -> bool:
        """Whether it was told to end, or its time is over."""
        return self.stopped or self.timed_out

    @property
    def is_unwatched(self) -> bool:
        """Whether something of it is left that nothing tells the end of."""
        return self.code is not None and self.sink is None and not self.watched
