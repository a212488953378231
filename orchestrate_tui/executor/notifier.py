"""Tells people, in a process beside the executor, so that no channel can hold a run up.

The process belongs to one executor and outlives it: it ends when nobody is to be told any more
of the runs of that executor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.notification import Delivery, Notification
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.notices import message_of
from orchestrate_tui.executor.sending import Message, send
from orchestrate_tui.store.database import Database, StoreFiles, open_database
from orchestrate_tui.store.locks import hold_for_life
from orchestrate_tui.store.notifications import (
    is_due,
    note_delivery,
    recover,
    take_due,
)
from orchestrate_tui.store.occasions import are_open
from orchestrate_tui.store.writer import Change

T = TypeVar("T")

LOOK_INTERVAL_S = 0.25
"""So often it looks whether something is due, or was acknowledged."""

_AT_ONCE = 8

Send = Callable[[str, Message], str]
"""Sends a message to a channel; the answer is "", or why that failed."""


class Notifier:
    """Sees to the notifications of one executor. `send` is called in threads of its own."""

    def __init__(
        self,
        database: Database,
        epoch: int,
        *,
        send: Send = send,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._epoch = epoch
        self._send = send
        self._clock = clock
        self._threads = ThreadPoolExecutor(_AT_ONCE, "channel")
        self._done: SimpleQueue[tuple[Notification, Delivery, str]] = SimpleQueue()
        self._under_way = 0
        self._write(partial(recover, epoch=epoch))

    def work(self) -> None:
        """Tell people until nobody is to be told any more."""
        while self.begin_due() or self._under_way or self._is_open():
            self.note_one(LOOK_INTERVAL_S)

    def begin_due(self) -> int:
        """Begin every delivery that is due; how many these are."""
        at = self._clock()
        if not self._is_due(at):
            return 0
        begun = self._write(partial(take_due, epoch=self._epoch, at=at))
        for notification, delivery in begun:
            message = message_of(self._database, notification, delivery)
            self._under_way += 1
            self._threads.submit(self._deliver, notification, delivery, message)
        return len(begun)

    def note_one(self, longest_s: float | None = None) -> bool:
        """Wait for the end of a delivery and record it; whether there was one in so long."""
        try:
            notification, delivery, error = self._done.get(timeout=longest_s)
        except Empty:
            return False
        self._under_way -= 1
        note = partial(
            note_delivery,
            notification=notification, delivery=delivery, error=error, at=self._clock(),
        )  # fmt: skip
        self._write(note)
        return True

    def close(self) -> None:
        """Give up what is under way; it is sent again by whoever comes next."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _is_open(self) -> bool:
        return self._database.read(partial(are_open, epoch=self._epoch))

    def _is_due(self, at: datetime) -> bool:
        return self._database.read(partial(is_due, epoch=self._epoch, at=at))

    def _deliver(self, notification: Notification, delivery: Delivery, message: Message) -> None:
        try:
            error = self._send(delivery.channel, message)
        except Exception as failure:  # noqa: BLE001  (the edge of the thread: it is recorded)
            error = f"it could not be sent: {type(failure).__name__}"
        self._done.put((notification, delivery, error))

    def _write(self, change: Change[T]) -> T:
        """Commit a change, however long a full disk makes it wait."""
        return self._database.submit(change, is_patient=True).result()


def main() -> None:
    """Work for the executor whose database and epoch are the arguments of this process."""
    path, epoch = Path(sys.argv[1]), int(sys.argv[2])
    lock = StoreFiles(path).notifier_lock(epoch)
    try:
        hold_for_life(lock)
    except BlockingIOError:  # another one does
        return
    try:
        with open_database(path) as database:
            notifier = Notifier(database, epoch)
            notifier.work()
            notifier.close()
    except OrchestrateError as error:
        sys.exit(str(error))
    lock.unlink(missing_ok=True)
