"""The database and the files beside it."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrate_tui.errors import StoreError
from orchestrate_tui.permissions import make_folder
from orchestrate_tui.store.connection import (
    SENSELESS,
    cannot_open,
    cannot_read,
    connect_reader,
)
from orchestrate_tui.store.digests import sha256
from orchestrate_tui.store.held_up import LOOK_INTERVAL_S
from orchestrate_tui.store.opening import Tell, nobody_is_told, open_for_writing
from orchestrate_tui.store.sharing import SIGN_SUFFIX, share
from orchestrate_tui.store.spreading import spread_subfolders
from orchestrate_tui.store.trouble import TroubleMark
from orchestrate_tui.store.unwritten import given_up
from orchestrate_tui.store.writer import Change, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Self

_LONGEST_NAME = 180  # bytes; 255 is what file systems take, attempt and rollback included
_DIGEST_LENGTH = 32
_RESERVED = frozenset("/%")

T = TypeVar("T")


class Database:
    """One database, open for reading and writing; it may be used from any thread.

    `share_group` names a Unix group that may read it from now on; "" leaves that as it is.
    `former` is the copy that was made before the schema was brought up to date; None when it was.
    `trouble_mark` tells everybody else what keeps this process from working. `waiting` is told
    for whom it is waited before it is open.
    """

    def __init__(
        self, path: Path, *, share_group: str = "", waiting: Tell = nobody_is_told
    ) -> None:
        self.files = StoreFiles(path)
        self.path = self.files.database
        opened = open_for_writing(self.files, waiting)
        self.former = opened.former
        try:
            make_folder(self.files.runs)
            self.trouble_mark = TroubleMark(self.files.consoles)
        except OSError as error:
            opened.close()
            raise cannot_open(self.path, error) from error
        self._writer = Writer(self.files, opened, self.trouble_mark)
        spread_subfolders(self.files.runs)
        if share_group:
            self._share(share_group)
        self._local = threading.local()

    def _share(self, group: str) -> None:
        try:
            share(self.files, group)
        except StoreError:
            self._close()
            raise

    @property
    def trouble(self) -> str:
        """Why changes wait, in a sentence; "" when they do not."""
        return self._writer.trouble

    @property
    def is_stuck(self) -> bool:
        """Whether nobody knows how long changes will wait."""
        return self._writer.is_stuck

    @property
    def is_held_up(self) -> bool:
        """Whether another process keeps changes waiting."""
        return self._writer.is_held_up

    def submit(self, change: Change[T], *, is_patient: bool = False) -> Future[T]:
        """Have `change` committed by the writer; see Writer.submit."""
        return self._writer.submit(change, is_patient=is_patient)

    def call_when_noted(self, call: Callable[[], None]) -> None:
        """Have `call` made after each commit of what somebody is to be told; it must not wait."""
        self._writer.noted = call

    def lose_patience(self) -> None:
        """Let what waits for room on the disk, now or later, or for others, fail; see Writer."""
        self._writer.lose_patience()

    def write(self, change: Change[T]) -> T:
        """Commit `change` and return its result. Raises what it raised, or StoreError.

        Nobody waits here for a process that was stopped while it was writing.
        """
        future = self._writer.submit(change)
        while not wait([future], LOOK_INTERVAL_S).done:
            is_stuck = self._writer.is_stuck
            trouble = self._writer.trouble  # "" when it has just ended
            if is_stuck and trouble and future.cancel():
                raise given_up(trouble, is_patient=False)
        return future.result()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` on a connection of this thread that cannot write. Raises StoreError."""
        try:
            return query(self.reader())
        except (sqlite3.Error, *SENSELESS) as error:
            raise cannot_read(self.path, error) from error

    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading."""
        if not hasattr(self._local, "connection"):
            self._local.connection = connect_reader(self.path)
        connection: sqlite3.Connection = self._local.connection
        return connection

    def close(self) -> None:
        """Commit what is waiting and close; reading connections of other threads stay theirs."""
        self.release_reader()
        self._close()

    def _close(self) -> None:
        self._writer.close()
        self.trouble_mark.close()

    def release_reader(self) -> None:
        """Close this thread's connection for reading; the next read opens another."""
        if hasattr(self._local, "connection"):
            self._local.connection.close()
            del self._local.connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is KeyboardInterrupt:
            self.lose_patience()
        self.close()


class StoreFiles:
    """Where the files beside a database lie; nothing is created by asking.

    A database reached by another name, through a link, has the same files: its locks too.
    """

    def __init__(self, path: Path) -> None:
        database = Path(os.path.realpath(path))
        self.database = database
        self.wal = database.with_name(f"{database.name}-wal")
        self.wal_index = database.with_name(f"{database.name}-shm")
        self.write_lock = database.with_name(f"{database.name}.writelock")
        self.consoles = database.with_name(f"{database.name}.consoles")
        self.owners = database.with_name(f"{database.name}.owners")
        self.hosts = database.with_name(f"{database.name}.hosts")
        self.sockets = database.with_name(f"{database.name}.sockets")
        self.runs = database.with_name(f"{database.name}.runs")
        self.head = database.with_name(f"{database.name}.head")
        self.snapshots = database.with_name(f"{database.name}.snapshots")
        self.publication = database.with_name(f".{database.name}.publication")

    def owner_lock(self, epoch: int) -> Path:
        """The file whose lock says that the executor of that epoch lives."""
        return self.owners / f"{epoch}.lock"

    def owner_sign(self, epoch: int) -> Path:
        """The file whose lock says the same to those with whom the database is shared."""
        return self.owners / f"{epoch}{SIGN_SUFFIX}"

    def life_mark(self, epoch: int) -> Path:
        """What says in a published copy that the executor of that epoch lived; see Publication."""
        return self.owners / f"{epoch}.alive"

    def starting_lock(self, epoch: int) -> Path:
        """The file whose lock says that the executor of that epoch is about to start something."""
        return self.owners / f"{epoch}.starting"

    def socket(self, epoch: int) -> Path:
        """Where the executor of that epoch listens to other accounts, if it does."""
        return self.sockets / f"{epoch}.sock"

    def notifier_lock(self, epoch: int) -> Path:
        """The file whose lock says that a notifier works for the executor of that epoch."""
        return self.hosts / f"{epoch}.notifier"

    def host(self, epoch: int) -> Path:
        """The folder of the first stage host of the executor of that epoch.

        Those of the others are beside it: its name, a hyphen and more.
        """
        return self.hosts / str(epoch)

    def run(self, run_id: int) -> Path:
        """The folder with what the stages of a run wrote."""
        return self.runs / str(run_id)

    def log(self, run_id: int, stage_name: str, attempt: int) -> Path:
        """What one attempt of a stage wrote."""
        return self.run(run_id) / f"{_file_name(stage_name)}.{attempt}.log"

    def undo_log(self, run_id: int, rollback_id: int, stage_name: str, attempt: int) -> Path:
        """What one attempt of an undo wrote; no attempt of a stage has a log of that name."""
        name = f"{_file_name(stage_name)}.{attempt}.rollback-{rollback_id}.log"
        return self.run(run_id) / name


def open_database(
    path: Path | str, *, share_group: str = "", waiting: Tell = nobody_is_told
) -> Database:
    """Open the database, made or brought up to date as needed; see Database.

    Raises StoreError for one that is newer, foreign, damaged or cannot be written.
    """
    return Database(Path(path), share_group=share_group, waiting=waiting)


def _file_name(stage_name: str) -> str:
    """The name as a file name: printable, in one folder, of a length that every system takes.

    What cannot stand in it is percent-encoded; what is cut off is replaced by a hash of it all.
    """
    is_plain = stage_name.isprintable() and not _RESERVED.intersection(stage_name)
    name = stage_name if is_plain else "".join(map(_encoded, stage_name))
    content = name.encode()
    if len(content) <= _LONGEST_NAME:
        return name
    digest = sha256(content).hexdigest()[:_DIGEST_LENGTH]
    return content[: _LONGEST_NAME - _DIGEST_LENGTH].decode(errors="ignore") + digest


def _encoded(character: str) -> str:
    is_plain = character.isprintable() and character not in _RESERVED
    return character if is_plain else f"%{ord(character):02X}"
