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
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrate_tui.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.opening import Opened

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]
"""What one caller wants changed, within a transaction that somebody else begins and ends."""

_Waiting = tuple[Change[Any], "Future[Any]"]
LARGEST_BATCH = 1024


class Writer:
    """Commits changes in the order in which they are submitted."""

    def __init__(self, path: Path, opened: Opened) -> None:
        self._path = path
        self._opened = opened
        self._lock, self._connection = opened.lock, opened.connection
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._submitting = Lock()
        self._is_open = True
        self._thread = Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Change[T]) -> Future[T]:
        """Have `change` committed; the future ends after the commit, or with the error.

        A future cancelled before its turn is not carried out. Raises StoreError after `close`.
        """
        future: Future[T] = Future()
        with self._submitting:
            if not self._is_open:
                raise StoreError(f"The database {self._path} is closed", next_step="Open it again")
            self._queue.put((change, future))
        return future

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
        while (first := self._queue.get()) is not None:
            batch, is_last = self._drain(first)
            self._commit(batch)
            if is_last:
                return

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        batch = [first]
        while len(batch) < LARGEST_BATCH:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _commit(self, waiting: list[_Waiting]) -> None:
        batch = [item for item in waiting if item[1].set_running_or_notify_cancel()]
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._lock.held():
                self._connection.head = None
                self._connection.execute("BEGIN")
                for change, future in batch:
                    self._attempt(change, future, done)
                self._connection.execute("COMMIT")
                if self._connection.head is not None:
                    self._opened.head.write(self._connection.head)
        except BaseException as error:  # noqa: BLE001  (the edge of the thread: it goes to the callers)
            self._give_up(batch, error)
        else:
            for future, result in done:
                future.set_result(result)

    def _attempt(
        self, change: Change[Any], future: Future[Any], done: list[tuple[Future[Any], Any]]
    ) -> None:
        """Run one change in its savepoint; its own error ends only its own future.

        When the database gave up the whole transaction, as it does on a full disk, the error is
        everybody's and ends the batch.
        """
        self._connection.execute("SAVEPOINT change")
        head = self._connection.head
        try:
            result = change(self._connection)
        except BaseException as error:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO change")
            self._connection.head = head
            is_trouble = isinstance(error, sqlite3.Error)
            future.set_exception(self._failure(error) if is_trouble else error)
        else:
            done.append((future, result))
        self._connection.execute("RELEASE change")

    def _give_up(self, batch: list[_Waiting], error: BaseException) -> None:
        """Keep nothing of the batch, and tell so to everybody who was not answered yet."""
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        for _, future in batch:
            if not future.done():
                future.set_exception(self._failure(error))

    def _failure(self, error: BaseException) -> StoreError:
        failure = StoreError(
            f"The database {self._path} could not be written: {error}",
            next_step="Nothing of this change was kept; check free space and permissions",
        )
        failure.__cause__ = error
        return failure
