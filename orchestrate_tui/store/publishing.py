"""Keeps a copy of a database and its logs, for those who must not touch the live files.

Whoever can read the live files can hold the locks of SQLite, and so keep the executor waiting. Of
the copy the database is replaced as a whole; a reader sees the old one or the new one.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import START, Head
from orchestrate_tui.store.copying import copy_tree, replace_with, settle
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.head import encoded, read_head
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.published import claim, obstacle
from orchestrate_tui.store.readable import check_current, check_present
from orchestrate_tui.store.reading import Reader, connect
from orchestrate_tui.store.sharing import id_of
from orchestrate_tui.store.soundness import damaged, verdict_with

_UNDER_WAY = """
    SELECT epoch FROM runs WHERE status IN ('pending', 'running')
    UNION SELECT epoch FROM rollback_events WHERE status IN ('pending', 'running')
"""


class Publication:
    """One folder with a copy; `path` is the database in it.

    Nothing takes the place of what is no copy of the same database. What is copied is what is
    stored, in which secrets are masked already. A folder that has to be
    made is for its owner, a group (`group`), or with `public` for everybody; one that is there
    keeps its mode, and what is put into it is for those who may read it.

    What was verified at the opening of the database, or for the copy before, is not verified
    again; with `is_alone`, where this process has not opened it, all of it is. Raises StoreError.
    """

    def __init__(
        self,
        source: Path,
        folder: Path,
        *,
        group: str = "",
        public: bool = False,
        is_alone: bool = False,
    ) -> None:
        self._source = StoreFiles(source)
        self._is_alone = is_alone
        self._verified: Head | None = START if is_alone else None
        self._folder = Path(os.path.realpath(folder))
        self._copy = StoreFiles(self._folder / self._source.database.name)
        self.path = self._copy.database
        if self._folder == self._source.database.parent:
            raise self._failure("it is the folder of the database itself")
        if self._folder.is_relative_to(self._source.runs):
            raise self._failure("its logs lie there")
        with self._troubles():
            self._make_folder(group, public=public)

    def update(self, run_ids: Iterable[int] | None = None) -> None:
        """Copy what is new; only the logs of these runs, unless it is None.

        What is no database of ours, or has a damaged record, leaves the copy before as it is.
        Raises StoreError.
        """
        draft = self._folder / f".{self.path.name}.draft"
        with self._troubles(), self._alone():
            try:
                living, end = self._draft(draft)
                copy_tree(self._source.runs, self._copy.runs, _names(run_ids))
                self._put_in_place(draft, living, end)
            finally:
                draft.unlink(missing_ok=True)

    def update_logs(self, run_ids: Iterable[int]) -> None:
        """Copy what the stages of these runs have written. Raises StoreError."""
        with self._troubles(), self._alone():
            copy_tree(self._source.runs, self._copy.runs, _names(run_ids))

    def _draft(self, draft: Path) -> tuple[frozenset[int], Head]:
        """Copy the database; the executors of its work that live, and where its events end."""
        check_present(self._source)
        head = read_head(self._source.head)  # before the database: it may go on meanwhile
        check = partial(check_current, files=self._source)
        reader = Reader(self._source.database, check, hands_off=self._is_alone)
        try:
            living = reader.read(partial(_vacuum_into, draft=draft, files=self._source))
        finally:
            reader.close()
        return living, self._verify(draft, head)

    def _verify(self, draft: Path, head: Head | None) -> Head:
        """Where the events of the copy end. Raises StoreError unless all of them are as written."""
        with closing(connect(draft, "mode=ro&immutable=1")) as connection:
            verdict = verdict_with(connection, self._source, self._verified, head)
        if verdict.damage:
            raise damaged(self._source, verdict.damage)
        if not self._is_alone:
            self._verified = verdict.end
        return verdict.end

    def _put_in_place(self, draft: Path, living: frozenset[int], end: Head) -> None:
        self._mark_living(living)  # before: no run may seem left in between
        replace_with(draft, self._copy.database)
        replace_with(self._settled("head", encoded(end)), self._copy.head)
        self._forget_all_but(living)

    def _mark_living(self, epochs: frozenset[int]) -> None:
        """Say which executors lived: the copy has none of their locks."""
        for epoch in epochs:
            mark = self._copy.life_mark(epoch)
            if not mark.exists():
                copy_tree(None, mark.parent)
                replace_with(self._settled("alive", b""), mark)

    def _settled(self, kind: str, content: bytes) -> Path:
        return settle(self._folder, f"{self.path.name}.{kind}", content)

    def _forget_all_but(self, living: frozenset[int]) -> None:
        with suppress(FileNotFoundError):
            for mark in self._copy.owners.iterdir():
                if mark.stem.isdecimal() and int(mark.stem) not in living:
                    mark.unlink()

    def _make_folder(self, group: str, *, public: bool) -> None:
        if self._folder.exists():
            self._check_folder()
            return
        group_id = id_of(group) if group else None
        if group and group_id is None:
            raise self._failure(f"there is no group '{group}'")
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700)
        if group_id is not None:
            os.chown(self._folder, -1, group_id)
            self._folder.chmod(0o2750)
        if public:
            self._folder.chmod(self._folder.stat().st_mode & 0o7777 | 0o055)

    def _check_folder(self) -> None:
        """Raise StoreError where somebody else could put other files in the place of ours."""
        found = self._folder.stat()
        if not self._folder.is_dir():
            raise self._failure("it is not a folder")
        if found.st_uid != os.geteuid():
            raise self._failure("it belongs to another user")
        if found.st_mode & 0o022:
            raise self._failure("others may write to it")
        self._check_content()

    def _check_content(self) -> None:
        """Raise StoreError where something would be lost that is no copy of this database."""
        if reason := obstacle(self._copy, self._source.database):
            raise self._failure(reason)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until nobody else updates the copy, and keep others from it for the block."""
        self._check_content()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._copy.publication, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._check_content()
            claim(self._copy, descriptor, self._source.database)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        """Tell of what cannot be done to the files as a StoreError."""
        try:
            yield
        except (OSError, sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failure(str(error)) from error

    def _failure(self, reason: str) -> StoreError:
        return StoreError(
            f"{self._source.database} cannot be published to {self._folder}: {reason}",
            next_step="Name another folder, or make room in it",
        )


def _names(run_ids: Iterable[int] | None) -> frozenset[str] | None:
    return None if run_ids is None else frozenset(map(str, run_ids))


def _vacuum_into(connection: sqlite3.Connection, draft: Path, files: StoreFiles) -> frozenset[int]:
    """Write all of the database into a new file; the executors of its work that live.

    The connection cannot write to the database, whatever it is told here.
    """
    draft.unlink(missing_ok=True)
    epochs = {row["epoch"] for row in connection.execute(_UNDER_WAY)}
    living = frozenset(epoch for epoch in epochs if is_alive(files, epoch))
    connection.execute("PRAGMA query_only = OFF")
    try:
        connection.execute("VACUUM INTO ?", (str(draft),))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:  # which is said of the copy alone
            raise StoreError(
                f"There is no room for a copy of {files.database} in {draft.parent}",
                next_step="Free some space there, or name another folder",
            ) from error
        raise
    finally:
        connection.execute("PRAGMA query_only = ON")
    return living
