"""Copies of what a connection sees, consistent whoever writes meanwhile, for their owner alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.chain import last_event
from orchestrate_tui.store.head import make_head, sync_folder
from orchestrate_tui.store.verification import has_chain


def vacuum_into(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database into a new file that lasts even if the power fails.

    Raises OSError or sqlite3.Error.
    """
    target.unlink(missing_ok=True)
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        connection.execute("PRAGMA query_only = OFF")  # it counts a copy as a change
        connection.execute("VACUUM INTO ?", (str(target),))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_former(connection: sqlite3.Connection, database: Path, version: str) -> Path:
    """Copy a database that is about to be changed, beside it; `version` is that of its schema.

    The caller holds the file lock. Raises StoreError, and then there is no copy.
    """
    at = f"{utc_now():%Y%m%dT%H%M%S.%fZ}"
    former = database.with_name(f"{database.name}.{version}.{at}.backup")
    try:
        vacuum_into(connection, former)
        if has_chain(connection):
            make_head(former.with_name(f"{former.name}.head"), last_event(connection))
        sync_folder(former.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            former.unlink()
        raise cannot_copy(former, error) from error
    return former


def cannot_copy(target: Path, error: Exception) -> StoreError:
    """The error an operator sees when a copy could not be made."""
    return StoreError(
        f"The copy {target} could not be written: {error}",
        next_step="Check free space and permissions; the database itself was not changed",
    )
