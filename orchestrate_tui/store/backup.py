"""Backups: copies that are verified and can be used in the place of the database."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.store.chain import START
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.head import UNREADABLE, make_head, read_head, sync_folder
from orchestrate_tui.store.loss import check_not_lost
from orchestrate_tui.store.migrator import is_current
from orchestrate_tui.store.reading import Reader, connect
from orchestrate_tui.store.soundness import verdict_with
from orchestrate_tui.store.vacuum import cannot_copy, vacuum_into
from orchestrate_tui.store.verification import Verdict
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.chain import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was made, and what a complete verification of its events says."""

    path: Path
    size_bytes: int
    verdict: Verdict


def back_up(source: Path, target: Path, *, replaces: bool = False) -> Backup:
    """Copy a database, whoever writes it meanwhile, so that it lasts even if the power fails.

    A file that is there is replaced only if `replaces`. A damaged record is copied as it is; the
    copy's verdict says so. Logs are not copied. Raises StoreError, NotFound or Refused.
    """
    files, copy = StoreFiles(source), StoreFiles(target)
    check_not_lost(files)
    if not source.exists():
        raise NotFound(f"There is no database {source}", next_step="Name another one with --db")
    _check_target(source, target, replaces=replaces)
    draft = target.with_name(f"{target.name}.partial")
    head = read_head(files.head)
    try:
        reader = Reader(files.database, partial(_check, path=source), hands_off=True)
        try:
            reader.read(partial(_copy, target=draft))
        finally:
            reader.close()
        verdict = _verdict(draft, files, head)
        copy.head.unlink(missing_ok=True)
        if head is not None and head != UNREADABLE:
            make_head(copy.head, head if verdict.damage else verdict.end)
        draft.replace(copy.database)
        sync_folder(copy.database.parent)
    except (OSError, sqlite3.Error) as error:
        raise cannot_copy(target, error) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return Backup(path=target, size_bytes=copy.database.stat().st_size, verdict=verdict)


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    try:
        vacuum_into(connection, target)
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise cannot_copy(target, error) from error
        raise  # the database was not to be read; the reader knows what that means


def _check(connection: sqlite3.Connection, path: Path) -> None:
    is_current(connection, path)


def _check_target(source: Path, target: Path, *, replaces: bool) -> None:
    if not target.parent.is_dir():
        raise Refused(f"There is no folder {target.parent}", next_step="Name another file")
    if not target.exists():
        return
    if not target.is_file():
        raise Refused(f"{target} is no file", next_step="Name another one")
    if target.samefile(source) or StoreFiles(target).write_lock.exists():
        raise Refused(f"{target} is a database in use", next_step="Name another file")
    if not replaces:
        raise Refused(f"{target} is there already", next_step="Name another file, or add --force")


def _verdict(copy: Path, files: StoreFiles, head: Head | None) -> Verdict:
    """What a complete verification of a copy says; `head` is the one beside what was copied."""
    with closing(connect(copy, "mode=ro&immutable=1")) as connection:
        return verdict_with(connection, files, START, head)
