"""What kept a change from being written, whether that may pass, and how it is told."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, TypeGuard

from orchestrate_tui.errors import NoRoom, StoreError, Unrecorded
from orchestrate_tui.store.connection import MAKE_ROOM
from orchestrate_tui.store.place import Moved

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.store.held_up import HeldUp

_PRIMARY = 0xFF  # the part of an error code that says what kind of error it is
_OF_THE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


def lacks_room(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Whether what was written could not be kept, but may be later.

    The disk is full, over quota, or broken; or the file is away.
    """
    is_disk = isinstance(error, sqlite3.Error) and _kind(error) in _OF_THE_DISK
    return is_disk or isinstance(error, Moved)


def is_busy(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Whether a program that takes no turns held SQLite's own lock for longer than is waited."""
    return isinstance(error, sqlite3.Error) and _kind(error) == sqlite3.SQLITE_BUSY


def may_pass(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Whether it is worth waiting."""
    return lacks_room(error) or is_busy(error)


def trouble_of(path: Path, error: sqlite3.Error, held_up: HeldUp) -> str:
    """Why changes wait, in a sentence."""
    if isinstance(error, Moved):
        return f"The database {path} cannot be written: {error}"
    if is_busy(error):
        return held_up.culprit().sentence
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return f"The disk is full: {path} cannot be written"
    return f"The disk fails, or its quota is used up: {path} cannot be written ({error})"


def failure(path: Path, error: BaseException, held_up: HeldUp) -> StoreError:
    """What somebody is told whose change cannot wait."""
    is_full = lacks_room(error) and not isinstance(error, Moved)
    remedy = MAKE_ROOM if is_full else _remedy(error)
    if is_busy(error):
        remedy = held_up.culprit().sentence
    told = (NoRoom if is_full else StoreError)(
        f"The database {path} could not be written: {error}",
        next_step=f"Nothing of this change was kept. {remedy}",
    )
    told.__cause__ = error
    return told


def given_up(trouble: str, *, is_patient: bool) -> StoreError:
    """What somebody is told whose change is not waited for any more, because of that trouble."""
    if is_patient:
        return unrecorded(trouble)
    return StoreError(trouble, next_step="Nothing of this change was kept")


def unrecorded(trouble: str, error: sqlite3.Error | None = None) -> Unrecorded:
    """What somebody is told whose change was to be waited for."""
    step = "Go on later with: orchestrate-tui resume RUN"
    if error is not None and lacks_room(error):
        remedy = _remedy(error) if isinstance(error, Moved) else "Free some space"
        step = f"{remedy}, then go on with: orchestrate-tui resume RUN"
    told = Unrecorded(f"{trouble}, and what happened since is not recorded", next_step=step)
    told.__cause__ = error
    return told


def _kind(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def _remedy(error: BaseException) -> str:
    return "Put it back" if isinstance(error, Moved) else "Check permissions"
