"""Where the tables of a database say something else than its events, or name what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_MOST_NAMED = 5

_STATUSES = (
    """
    SELECT 'run ' || runs.id, runs.status, last.to_status
    FROM runs LEFT JOIN (
        SELECT run_id, to_status, max(id) FROM events WHERE kind = 'run' GROUP BY run_id
    ) AS last ON last.run_id = runs.id
    WHERE runs.status IS NOT last.to_status
    """,
    """
    SELECT 'stage ''' || stages.stage_name || ''' of run ' || stages.run_id, stages.status,
        coalesce(last.to_status, 'pending')
    FROM stages LEFT JOIN (
        SELECT run_id, stage_name, to_status, max(id) FROM events WHERE kind = 'stage'
        GROUP BY run_id, stage_name
    ) AS last ON last.run_id = stages.run_id AND last.stage_name = stages.stage_name
    WHERE stages.status IS NOT coalesce(last.to_status, 'pending')
    """,
    """
    SELECT 'rollback ' || rollback.id, rollback.status, last.to_status
    FROM rollback_events AS rollback LEFT JOIN (
        SELECT rollback_id, to_status, max(id) FROM events WHERE kind = 'rollback'
        GROUP BY rollback_id
    ) AS last ON last.rollback_id = rollback.id
    WHERE rollback.status IS NOT last.to_status
    """,
)
"""What stands otherwise than its last event says: its name, its status, and what the event says."""


def contradictions(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What has another status than its last event says, a sentence each; a few of each kind.

    Nothing where damage of the record was accepted: that is no measure any more. Raises
    sqlite3.Error.
    """
    if connection.execute("SELECT 1 FROM accepted_damage LIMIT 1").fetchone() is not None:
        return ()
    return tuple(
        f"{what} is '{status}', and its last event says '{said or 'nothing'}'"
        for query in _STATUSES
        for what, status, said in connection.execute(f"{query} LIMIT {_MOST_NAMED}")
    )


def unknown_rows(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Tables with rows that belong to rows which are not there, a sentence each.

    Raises sqlite3.Error.
    """
    found = {(row[0], row[2]) for row in connection.execute("PRAGMA foreign_key_check")}
    return tuple(f"{table} of what is not in {parent}" for table, parent in sorted(found))
