"""Opens a database for writing: looks at it first, then brings it up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.permissions import make_folder
from orchestrate_tui.store.chain import Head, last_event
from orchestrate_tui.store.connection import (
    ImmediateConnection,
    cannot_open,
    connect_writer,
    make_file,
)
from orchestrate_tui.store.head import HeadFile, make_head
from orchestrate_tui.store.held_up import LOOK_INTERVAL_S, HeldUp
from orchestrate_tui.store.locks import FileLock
from orchestrate_tui.store.loss import check_not_lost
from orchestrate_tui.store.migrator import is_current, last_migration, migrate
from orchestrate_tui.store.published import refuse_copy
from orchestrate_tui.store.reading import connect
from orchestrate_tui.store.soundness import damaged, examine_record, verdict_on
from orchestrate_tui.store.standing import Standing, State
from orchestrate_tui.store.vacuum import keep_former
from orchestrate_tui.store.verification import (
    has_chain,
    move_mark,
    verified_mark,
    verify,
)
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.database import StoreFiles

MARKED_EVERY = 1000
"""So many events are verified again at each opening rather than have each opening write."""


_LONGEST_FAREWELL_S, _FAREWELL_INTERVAL_S = 5.0, 0.1


@dataclass(slots=True)
class Opened:
    """What the one who writes needs: the file lock, the connection, and the file of the head.

    `verified` is where the events ended that were found whole. `former` is the copy that was made
    of the database before it was brought up to date; None when it was.
    """

    files: StoreFiles
    lock: FileLock
    connection: ImmediateConnection
    head: HeadFile
    verified: Head
    former: Path | None

    def verify(self, limit: int | None = None) -> None:
        """Verify what was written since the last time, `limit` events at most.

        Damage is not passed by: the next opening names it. What a full disk leaves undone is
        done then, too.
        """
        with suppress(sqlite3.Error):
            verdict = verify(self.connection, self.verified, limit=limit)
            if verdict.damage:
                return
            with suppress(OSError), self.lock.held_at_once():  # else the next time
                self.mark(verdict.end)
            self.verified = verdict.end

    def mark(self, end: Head) -> None:
        """Have the next opening begin at `end`, if that saves it much; the lock is held.

        Raises sqlite3.Error.
        """
        if end.event_id - verified_mark(self.connection).event_id >= MARKED_EVERY:
            move_mark(self.connection, end)

    def close(self) -> None:
        """Verify what was written, and close all of it; SQLite makes its last checkpoint then.

        Not beside a process that is kept from ending what it writes: that has the database open.
        """
        self.verify()
        look = _Farewell(self.files).look
        with suppress(_Kept), self.lock.held_in_time(look, every_s=_FAREWELL_INTERVAL_S):
            self.connection.close()
        self.connection.close()
        self.head.close()
        self.lock.close()


Tell = Callable[[str], None]
"""Is told again and again for whom it is waited, in a sentence; "" when that is over."""


def nobody_is_told(_trouble: str) -> None:
    """Wait in silence."""


def open_for_writing(files: StoreFiles, waiting: Tell = nobody_is_told) -> Opened:
    """The database, up to date and with a record that is whole. Raises StoreError.

    It is waited for those who write to it, but not for a process that was stopped.
    """
    check_not_lost(files)
    _refuse_stranger(files)
    try:
        refuse_copy(files)
        make_folder(files.database.parent)
        make_file(files.database)
        lock = FileLock(files.write_lock, of=files.database)
    except OSError as error:
        raise cannot_open(files.database, error) from error
    try:
        verified = _verified_beforehand(files)
        watch = _Watch(files, waiting)
        with lock.held_in_time(watch.look, every_s=LOOK_INTERVAL_S):
            watch.end()
            return _open(files, lock, _look(files, verified))
    except BaseException:
        lock.close()
        raise


class _Kept(Exception):
    """Somebody does not let go of the lock."""


class _Farewell:
    """Waits a while for others before a database is closed."""

    def __init__(self, files: StoreFiles) -> None:
        self._held_up = HeldUp(files)
        self._held_up.begin()

    def look(self) -> None:
        """Raise _Kept when it lasts too long."""
        if self._held_up.is_barred() or self._held_up.waited_s >= _LONGEST_FAREWELL_S:
            raise _Kept


class _Watch:
    """Tells who keeps us from a database, and lets nobody wait for ever for a stopped process."""

    def __init__(self, files: StoreFiles, waiting: Tell) -> None:
        self._held_up = HeldUp(files)
        self._held_up.begin()
        self._waiting = waiting

    def look(self) -> None:
        """Raise StoreError when it is waited for a process that was stopped."""
        if not (trouble := self._held_up.sentence()):
            return
        if self._held_up.culprit().is_stopped:
            raise StoreError(trouble, next_step="Nothing was changed")
        self._waiting(trouble)

    def end(self) -> None:
        """Say that it is over."""
        self._waiting("")


def _refuse_stranger(files: StoreFiles) -> None:
    """Look at a file that no process of ours had open before, and make nothing beside it."""
    if files.database.is_dir():
        raise cannot_open(files.database, "it is a folder")
    if files.database.is_file() and not files.write_lock.exists():
        examine_record(files)


def _verified_beforehand(files: StoreFiles) -> Head | None:
    """Where the events end that are whole, found while others write and are not held up by it.

    None when nobody else writes, or when what they do looks like damage: who holds the lock knows.
    """
    if Standing.of(files.database).state is State.LIVE:
        with suppress(StoreError):
            return _look(files, None)
    return None


def _look(files: StoreFiles, after: Head | None) -> Head:
    """The end of the events, if those after `after` are whole. Raises StoreError if not."""
    is_at_rest = Standing.of(files.database).state is State.AT_REST
    try:
        connection = connect(files.database, "mode=ro&immutable=1" if is_at_rest else "mode=ro")
        try:
            verdict = verdict_on(connection, files, after)
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise cannot_open(files.database, error) from error
    if verdict.damage:
        raise damaged(files, verdict.damage)
    return verdict.end


def _open(files: StoreFiles, lock: FileLock, verified: Head) -> Opened:
    connection = connect_writer(files.database)
    try:
        former = _bring_up_to_date(files, connection)
        end = last_event(connection)
        head = HeadFile(files.head)
    except BaseException:
        connection.close()
        raise
    head.write(end)
    opened = Opened(
        files=files, lock=lock, connection=connection, head=head, verified=verified, former=former
    )
    with suppress(sqlite3.Error):  # on a full disk a later opening does it
        opened.mark(verified)
    return opened


def _bring_up_to_date(files: StoreFiles, connection: ImmediateConnection) -> Path | None:
    """Apply the migrations that are missing; returns the copy that was made before, if any."""
    try:
        if not has_chain(connection):
            make_head(files.head)
        former = _keep_former(files, connection)
        if migrate(connection, files.database):
            # A fresh log is larger than the database, and lacks its mark as ours.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        raise cannot_open(files.database, error) from error
    return former


def _keep_former(files: StoreFiles, connection: ImmediateConnection) -> Path | None:
    """A copy of a database that has an earlier version's schema; None for a current or new one."""
    if is_current(connection, files.database):
        return None
    version = last_migration(connection)
    return keep_former(connection, files.database, version) if version else None
