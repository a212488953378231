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
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from orchestrate_tui.errors import NoRoom, StoreError, Unrecorded
from orchestrate_tui.store.chain import last_event
from orchestrate_tui.store.connection import MAKE_ROOM
from orchestrate_tui.store.place import Moved, Place
from orchestrate_tui.store.trouble import Trouble
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.chain import Head
    from orchestrate_tui.store.opening import Opened
    from orchestrate_tui.store.trouble import TroubleMark

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]
"""What one caller wants changed, within a transaction that somebody else begins and ends."""

_PRIMARY = 0xFF  # the part of an error code that says what kind of error it is
_OF_THE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
IDLE_S = 1.0
"""With nothing to do for so long, the thread that writes verifies what was written."""

VERIFIED_AT_ONCE = 10_000  # events; a change that comes meanwhile waits for about 50 ms
LARGEST_BATCH = 1024
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
"""How long it is waited before a full disk is tried again; it doubles from time to time."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A change and whoever waits for it; `is_patient` when it may wait for a full disk."""

    change: Change[Any]
    future: Future[Any]
    is_patient: bool


_Outcome = tuple[_Waiting, Any, BaseException | None]


class Writer:
    """Commits changes in the order in which they are submitted.

    `trouble` says why patient changes wait; "" when they do not. `mark` tells others the same.
    `noted` is called after each commit of what somebody is to be told, before it is answered.
    """

    def __init__(self, path: Path, opened: Opened, mark: TroubleMark) -> None:
        self._path = path
        self._place = Place(path)
        self._opened = opened
        self._mark = mark
        self._lock, self._connection = opened.lock, opened.connection
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._submitting = Lock()
        self._is_open = True
        self._has_patience = True
        self._is_ending = False
        self._last_event = opened.verified.event_id
        self.trouble = ""
        self.noted: Callable[[], None] = _nothing
        self._thread = Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

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
        return future

    def lose_patience(self) -> None:
        """Let what waits for a full disk, now or later, fail with Unrecorded."""
        self._has_patience = False
        with suppress(StoreError):
            self.submit(lambda _: None)  # wakes who waits

    def close(self) -> None:
        """Commit what is waiting and end; a second call does nothing."""
        with self._submitting:
            was_open, self._is_open = self._is_open, False
        if not was_open:
            return
        self._queue.put(None)
        self._thread.join()
        self._opened.close()

    def _work(self) -> None:
        while not self._is_ending:
            self._commit(self._take(self._next()))

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

    def _take(self, first: _Waiting | None) -> list[_Waiting]:
        """What waits, beginning with `first`; None in the queue is the end of it."""
        batch: list[_Waiting] = []
        item = first
        with suppress(Empty):
            while item is not None:
                if item.future.set_running_or_notify_cancel():
                    batch.append(item)
                if len(batch) == LARGEST_BATCH:
                    return batch
                item = self._queue.get_nowait()
            self._is_ending = True
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        wait_s = SHORTEST_WAIT_S
        while batch and (error := self._transact(batch)) is not None:
            batch = self._patient(batch, error)
            if batch:
                self._tell(error)
                batch += self._wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                self._make_room()
        self._tell_no_more()

    def _transact(self, batch: list[_Waiting]) -> sqlite3.Error | None:
        """Carry out the batch and answer it; the error instead if the disk has no room for it."""
        outcomes: list[_Outcome]
        try:
            with self._lock.held():
                self._place.check()
                self._connection.head = None
                self._connection.execute("BEGIN")
                outcomes = [self._attempt(item) for item in batch]
                self._end()
        except BaseException as error:  # noqa: BLE001  (the edge of the thread: it goes to the callers)
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            if _lacks_room(error):
                return error
            outcomes = [(item, None, self._failure(error)) for item in batch]
        self._tell_no_more()
        if self._connection.has_noted:
            self._connection.has_noted = False
            self.noted()
        for item, result, failure in outcomes:
            if failure is None:
                item.future.set_result(result)
            else:
                item.future.set_exception(failure)
        return None

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
            if not self._connection.in_transaction or _lacks_room(error):
                raise
            self._connection.execute("ROLLBACK TO change")
            self._connection.head = head
            is_trouble = isinstance(error, sqlite3.Error)
            outcome = (item, None, self._failure(error) if is_trouble else error)
        self._connection.execute("RELEASE change")
        return outcome

    # A full disk

    def _patient(self, batch: list[_Waiting], error: sqlite3.Error) -> list[_Waiting]:
        """Those who wait for room; the others are told that nothing of theirs was kept."""
        has_patience = self._has_patience and not self._is_ending
        for item in batch:
            if not item.is_patient:
                item.future.set_exception(self._failure(error))
            elif not has_patience:
                item.future.set_exception(_unrecorded(self._path, error))
        return [item for item in batch if item.is_patient] if has_patience else []

    def _tell(self, error: sqlite3.Error) -> None:
        self.trouble = _trouble(self._path, error)
        is_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        self._mark.set(Trouble.FULL if is_full else Trouble.FAILING)

    def _tell_no_more(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._mark.clear(Trouble.FULL)
            self._mark.clear(Trouble.FAILING)

    def _wait(self, seconds: float) -> list[_Waiting]:
        """Wait, or until somebody submits something, which is returned."""
        try:
            return self._take(self._queue.get(timeout=seconds))
        except Empty:
            return []

    def _make_room(self) -> None:
        """Move SQLite's log into the database, so that its place is used again."""
        with suppress(sqlite3.Error), self._lock.held():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _failure(self, error: BaseException) -> StoreError:
        is_full = _lacks_room(error) and not isinstance(error, Moved)
        remedy = MAKE_ROOM if is_full else _remedy(error)
        failure = (NoRoom if is_full else StoreError)(
            f"The database {self._path} could not be written: {error}",
            next_step=f"Nothing of this change was kept. {remedy}",
        )
        failure.__cause__ = error
        return failure


def _nothing() -> None:
    """Nobody wants to know."""


def _lacks_room(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Whether what was written could not be kept, but may be later.

    The disk is full, over quota, or broken; or the file is away.
    """
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    is_disk = isinstance(error, sqlite3.Error) and code in _OF_THE_DISK
    return is_disk or isinstance(error, Moved)


def _remedy(error: BaseException) -> str:
    return "Put it back" if isinstance(error, Moved) else "Check permissions"


def _trouble(path: Path, error: sqlite3.Error) -> str:
    if isinstance(error, Moved):
        return f"The database {path} cannot be written: {error}"
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return f"The disk is full: {path} cannot be written"
    return f"The disk fails, or its quota is used up: {path} cannot be written ({error})"


def _unrecorded(path: Path, error: sqlite3.Error) -> Unrecorded:
    remedy = _remedy(error) if isinstance(error, Moved) else "Free some space"
    failure = Unrecorded(
        f"{_trouble(path, error)}, and what happened since is not recorded",
        next_step=f"{remedy}, then go on with: orchestrate-tui resume RUN",
    )
    failure.__cause__ = error
    return failure
