"""The one thread that writes.

All changes that are waiting are committed together, so that a burst costs one sync. Each stands
in a savepoint of its own: one that fails takes no other with it. The file lock is held around
every transaction, and so around every checkpoint, because SQLite before 3.51.3 can corrupt a
database whose checkpoints race its writers (sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import last_event
from orchestrate_tui.store.held_up import LOOK_INTERVAL_S, HeldUp
from orchestrate_tui.store.place import Place
from orchestrate_tui.store.trouble import Trouble
from orchestrate_tui.store.unwritten import (
    failure,
    given_up,
    is_busy,
    lacks_room,
    may_pass,
    trouble_of,
    unrecorded,
)
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.store.chain import Head
    from orchestrate_tui.store.database import StoreFiles
    from orchestrate_tui.store.opening import Opened
    from orchestrate_tui.store.trouble import TroubleMark

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]
"""What one caller wants changed, within a transaction that somebody else begins and ends."""

IDLE_S = 1.0
"""With nothing to do for so long, the thread that writes verifies what was written."""

VERIFIED_AT_ONCE = 10_000  # events; a change that comes meanwhile waits for about 50 ms
LARGEST_BATCH = 1024
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
"""How long it is waited before a full disk is tried again; it doubles from time to time."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A change and whoever waits for it; `is_patient` when it may wait for a full disk.

    Once it `is_taken` its future cannot be cancelled any more.
    """

    change: Change[Any]
    future: Future[Any]
    is_patient: bool
    is_taken: bool = False

    def take(self) -> bool:
        """Begin with it, unless whoever waits for it has gone away."""
        self.is_taken = self.is_taken or self.future.set_running_or_notify_cancel()
        return self.is_taken


_Outcome = tuple[_Waiting, Any, BaseException | None]


class Writer:
    """Commits changes in the order in which they are submitted.

    `mark` tells others why patient changes wait. `noted` is called after each commit of what
    somebody is to be told, before it is answered.
    """

    def __init__(self, files: StoreFiles, opened: Opened, mark: TroubleMark) -> None:
        self._path = files.database
        self._place = Place(self._path)
        self._opened = opened
        self._mark = mark
        self._lock, self._connection = opened.lock, opened.connection
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._submitting = Lock()
        self._is_open = True
        self._has_patience = True
        self._is_ending = False
        self._last_event = opened.verified.event_id
        self._trouble = ""
        self._held_up = HeldUp(files)
        self._waiting: list[_Waiting] = []
        self._taking = Lock()
        self.noted: Callable[[], None] = _nothing
        self._thread = Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why changes wait, in a sentence; "" when they do not."""
        return self._trouble or self._held_up.sentence()

    @property
    def is_stuck(self) -> bool:
        """Whether nobody knows how long changes will wait."""
        is_given_up = not self._has_patience and self.is_held_up
        return bool(self._trouble) or is_given_up or self._held_up.is_barred()

    @property
    def is_held_up(self) -> bool:
        """Whether another process keeps changes waiting."""
        return bool(self._held_up.sentence())

    def submit(self, change: Change[T], *, is_patient: bool = False) -> Future[T]:
        """Have `change` committed; the future ends after the commit, or with the error.

        On a full disk a patient change waits and is tried again, so it may be called more than
        once. A future cancelled before its turn is not carried out. Raises StoreError after
        `close`.
        """
        future: Future[T] = Future()
        with self._submitting:
            if not self._is_open:
                raise StoreError(f"The database {self._path} is closed", next_step="Open it again")
            self._queue.put(_Waiting(change, future, is_patient))
        if not self._has_patience:
            self._give_up()
        return future

    def lose_patience(self) -> None:
        """Let what waits for a full disk, now or later, fail with Unrecorded.

        What waits for another process fails, too.
        """
        self._has_patience = False
        with suppress(StoreError):
            self.submit(lambda _: None)  # wakes who waits

    def close(self) -> None:
        """Commit what is waiting and end; a second call does nothing.

        Where another process keeps it from that, and may for ever, what waits is given up.
        """
        with self._submitting:
            was_open, self._is_open = self._is_open, False
        if not was_open:
            return
        self._queue.put(None)
        while self._thread.is_alive():
            self._thread.join(LOOK_INTERVAL_S)
            if not self._has_patience or self._held_up.is_barred():
                self._has_patience = False
                if self._give_up():
                    return  # the thread ends with the process
        self._opened.close()

    def _give_up(self) -> bool:
        """Fail what waits for another process, and is not written later; False if nothing does."""
        with self._taking:
            if not (trouble := self._held_up.sentence()):
                return False
            with suppress(Empty):
                while True:
                    self._add(self._queue.get_nowait())
            waiting, self._waiting = self._waiting, []
            for item in waiting:
                if item.take():
                    item.future.set_exception(given_up(trouble, is_patient=item.is_patient))
        return True

    def _work(self) -> None:
        while not self._is_ending:
            self._add(self._next())
            self._commit()

    def _add(self, item: _Waiting | None) -> None:
        """Count one more as waiting; None is the end of the queue."""
        if item is None:
            self._is_ending = True
        else:
            self._waiting.append(item)

    def _next(self) -> _Waiting | None:
        """The next change; while there is none, what many before it wrote is verified."""
        verified = self._opened.verified
        while self._last_event - verified.event_id >= VERIFIED_AT_ONCE:
            with suppress(Empty):
                return self._queue.get(timeout=IDLE_S)
            self._opened.verify(VERIFIED_AT_ONCE)
            if self._opened.verified == verified:  # damaged: the next opening names it
                break
            verified = self._opened.verified
        return self._queue.get()

    def _take(self, most: int = LARGEST_BATCH) -> list[_Waiting]:
        """What waits by now, `most` of it; it is answered by us from here on."""
        with self._taking:
            self._held_up.end()
            with suppress(Empty):
                while len(self._waiting) < most and not self._is_ending:
                    self._add(self._queue.get_nowait())
            self._waiting = [item for item in self._waiting if item.take()]
            return self._waiting

    def _commit(self) -> None:
        wait_s = SHORTEST_WAIT_S
        while self._waiting and (error := self._transact()) is not None:
            self._waiting = self._patient(self._waiting, error)
            if self._waiting:
                self._tell(error)
                self._wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                self._make_room()
        self._tell_no_more()

    def _transact(self) -> sqlite3.Error | None:
        """Carry out what waits and answer it; the error instead if that may pass."""
        outcomes: list[_Outcome]
        self._held_up.begin()
        try:
            with self._turn():
                self._place.check()
                self._connection.head = None
                self._connection.execute("BEGIN")
                outcomes = [self._attempt(item) for item in self._take()]
                self._end()
        except BaseException as error:  # noqa: BLE001  (the edge of the thread: it goes to the callers)
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            begun = self._take(most=0)
            if may_pass(error):
                return error
            problem = failure(self._path, error, self._held_up)
            outcomes = [(item, None, problem) for item in begun]
        self._waiting = []
        self._tell_no_more()
        if self._connection.has_noted:
            self._connection.has_noted = False
            self.noted()
        for item, result, fault in outcomes:
            if fault is None:
                item.future.set_result(result)
            else:
                item.future.set_exception(fault)
        return None

    def _turn(self) -> AbstractContextManager[None]:
        """The lock; once patience is lost, nothing waits for it any longer than it has to."""
        if self._has_patience:
            return self._lock.held()
        return self._lock.held_in_time(self._give_up, every_s=LOOK_INTERVAL_S)

    def _end(self) -> None:
        """Commit, and tell the file beside the database where its events end."""
        head = self._connection.head
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if not self._is_kept(head):
                raise
        if head is not None:
            self._last_event = head.event_id
            self._opened.head.write(head)

    def _is_kept(self, head: Head | None) -> bool:
        """Whether a commit that reported an error was made all the same."""
        if head is None or self._connection.in_transaction:
            return False
        with suppress(sqlite3.Error):
            return last_event(self._connection) == head
        return False

    def _attempt(self, item: _Waiting) -> _Outcome:
        """Run one change in its savepoint; its own error ends only its own future.

        When the database gave up the whole transaction, or the disk is full, the error is
        everybody's and ends the batch.
        """
        self._connection.execute("SAVEPOINT change")
        head = self._connection.head
        outcome: _Outcome
        try:
            outcome = (item, item.change(self._connection), None)
        except BaseException as error:
            if not self._connection.in_transaction or lacks_room(error):
                raise
            self._connection.execute("ROLLBACK TO change")
            self._connection.head = head
            is_trouble = isinstance(error, sqlite3.Error)
            told = failure(self._path, error, self._held_up) if is_trouble else error
            outcome = (item, None, told)
        self._connection.execute("RELEASE change")
        return outcome

    # A full disk, and a lock that somebody else holds

    def _patient(self, batch: list[_Waiting], error: sqlite3.Error) -> list[_Waiting]:
        """Those who wait for room; the others are told that nothing of theirs was kept."""
        has_patience = self._has_patience and not self._is_ending
        for item in batch:
            if not item.is_patient:
                item.future.set_exception(failure(self._path, error, self._held_up))
            elif not has_patience:
                item.future.set_exception(unrecorded(self._told(error), error))
        return [item for item in batch if item.is_patient] if has_patience else []

    def _tell(self, error: sqlite3.Error) -> None:
        self._trouble = self._told(error)
        if not is_busy(error):
            is_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            self._mark.set(Trouble.FULL if is_full else Trouble.FAILING)

    def _told(self, error: sqlite3.Error) -> str:
        return trouble_of(self._path, error, self._held_up)

    def _tell_no_more(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._mark.clear(Trouble.FULL)
            self._mark.clear(Trouble.FAILING)

    def _wait(self, seconds: float) -> None:
        """Wait, or until somebody submits something."""
        with suppress(Empty):
            self._add(self._queue.get(timeout=seconds))

    def _make_room(self) -> None:
        """Move SQLite's log into the database, so that its place is used again."""
        with suppress(sqlite3.Error, OSError), self._lock.held_at_once():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _nothing() -> None:
    """Nobody wants to know."""
