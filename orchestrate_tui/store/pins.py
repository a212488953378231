"""Golden releases: one for each environment, for which somebody vouches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.record import record
from orchestrate_tui.store.releases import read_release

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from orchestrate_tui.domain.release import Release


def pin(
    connection: sqlite3.Connection, release_id: int, actor: str, reason: str, at: datetime
) -> Release:
    """Vouch for a release as the golden one of its environment; another one is so no more.

    Raises NotFound, or Refused when it was undone, or is golden already.
    """
    release = read_release(connection, release_id)
    if release.undone_by is not None:
        raise Refused(
            f"Release {release_id} was undone by rollback {release.undone_by}",
            next_step="Pin another one: orchestrate-tui releases",
        )
    if release.is_golden:
        raise Refused(f"Release {release_id} was pinned by {release.pinned_by} already")
    connection.execute(
        "UPDATE releases SET pinned_by = NULL, pinned_at = NULL, pin_reason = ''"
        " WHERE pipeline = ? AND environment = ? AND component IS ? AND pinned_at IS NOT NULL",
        (release.pipeline, release.environment, release.component),
    )
    connection.execute(
        "UPDATE releases SET pinned_by = ?, pinned_at = ?, pin_reason = ? WHERE id = ?",
        (actor, to_text(at), reason, release_id),
    )
    _record_ruling(connection, release, f"pinned by {actor}", reason, at)
    return release


def unpin(
    connection: sqlite3.Connection, release_id: int, actor: str, reason: str, at: datetime
) -> Release:
    """Vouch for a release no more. Raises NotFound, or Refused when it is not golden."""
    release = read_release(connection, release_id)
    if not release.is_golden:
        raise Refused(f"Release {release_id} is not pinned")
    connection.execute(
        "UPDATE releases SET pinned_by = NULL, pinned_at = NULL, pin_reason = '' WHERE id = ?",
        (release_id,),
    )
    _record_ruling(connection, release, f"unpinned by {actor}", reason, at)
    return release


def _record_ruling(
    connection: sqlite3.Connection, release: Release, ruling: str, reason: str, at: datetime
) -> None:
    because = f": {reason}" if reason else ""
    record(
        connection, release.run_id, to_text(at), "release", stage_name=release.stage_name,
        detail=f"release {release.id} {ruling}{because}",
    )  # fmt: skip
