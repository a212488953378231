"""Versions that were rolled back: refused in the same environment until somebody lifts that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, spoken, to_text
from orchestrate_tui.domain.release import VERSION, Quarantine, place_of
from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rows import moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from datetime import datetime


def quarantine(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    rollback_id: int,
    at: datetime,
    *,
    component: str | None = None,
) -> None:
    """Mark the version that a stage, which was just undone, brought to its environment.

    Only the `component` of it that was undone; None means the stage as a whole. Nothing is marked
    without an environment or a version, twice, or of a simulated run.
    """
    place = connection.execute(
        """
        SELECT runs.pipeline, stages.environment, runs.definition_hash, runs.variables
        FROM stages JOIN runs ON runs.id = stages.run_id
        WHERE run_id = ? AND stage_name = ? AND environment IS NOT NULL AND NOT simulated
        """,
        (run_id, stage_name),
    ).fetchone()
    version = place and _version(connection, run_id, stage_name, place)
    if not version:
        return
    since = to_text(at)
    made = connection.execute(
        """
        INSERT OR IGNORE INTO quarantines
            (pipeline, environment, component, version, run_id, rollback_id, created_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        (place["pipeline"], place["environment"], component, version, run_id, rollback_id, since),
    ).rowcount
    if made:
        record(
            connection, run_id, since, "quarantine", stage_name=stage_name,
            rollback_id=rollback_id,
            detail=f"{version} in {place_of(place['environment'], component)}",
        )  # fmt: skip


def _version(connection: sqlite3.Connection, run_id: int, stage_name: str, run: sqlite3.Row) -> str:
    """The stage's release says it, else its output, else the variable; "" for none."""
    row = connection.execute(
        "SELECT version FROM releases WHERE run_id = ?1 AND stage_name = ?2"
        " UNION ALL SELECT value FROM outputs"
        " WHERE run_id = ?1 AND stage_name = ?2 AND key = 'version' LIMIT 1",
        (run_id, stage_name),
    ).fetchone()
    if row:
        return str(row["version"])
    given = dict(json.loads(run["variables"]))
    declared = dict(read_definition(connection, run["definition_hash"]).variables)
    return str(given.get(VERSION, declared.get(VERSION, "")))


def find_quarantine(
    connection: sqlite3.Connection,
    pipeline: str,
    environment: str,
    versions: Iterable[str],
    components: Sequence[str] = (),
) -> Quarantine | None:
    """The quarantine of one of `versions` in an environment; None when none of them is in one.

    One of a component counts only where that is among the `components` that are brought there.
    """
    for version in versions:
        row = connection.execute(
            "SELECT * FROM quarantines INDEXED BY quarantined_versions"
            " WHERE pipeline = ? AND environment = ? AND version = ? AND lifted_at IS NULL"
            " AND (component IS NULL OR component IN (SELECT value FROM json_each(?)))",
            (pipeline, environment, version, json.dumps(components)),
        ).fetchone()
        if row is not None:
            return _quarantine(row)
    return None


def read_quarantine(connection: sqlite3.Connection, quarantine_id: int) -> Quarantine:
    """One quarantine. Raises NotFound."""
    query = "SELECT * FROM quarantines WHERE id = ?"
    row = connection.execute(query, (quarantine_id,)).fetchone()
    if row is None:
        raise NotFound(
            f"There is no quarantine {quarantine_id}",
            next_step="List them with: orchestrate-tui quarantine",
        )
    return _quarantine(row)


def list_quarantines(
    connection: sqlite3.Connection,
    *,
    lifted: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> tuple[Quarantine, ...]:
    """Quarantines, newest first; those that were `lifted` only if they are wanted too."""
    rows = connection.execute(
        "SELECT * FROM quarantines WHERE (? OR lifted_at IS NULL) AND id < ?"
        " ORDER BY id DESC LIMIT ?",
        (lifted, before or 2**62, limit),
    )
    return tuple(map(_quarantine, rows))


def lift(
    connection: sqlite3.Connection, quarantine_id: int, actor: str, reason: str, at: datetime
) -> Quarantine:
    """Let a version be brought to its environment again; returns what was lifted.

    Raises NotFound, or Refused when somebody did before: the message says who and when.
    """
    found = read_quarantine(connection, quarantine_id)
    changed = connection.execute(
        "UPDATE quarantines SET lifted_by = ?, lifted_at = ?, lift_reason = ?"
        " WHERE id = ? AND lifted_at IS NULL",
        (actor, to_text(at), reason, quarantine_id),
    ).rowcount
    if not changed:
        when = f" at {spoken(found.lifted_at)}" if found.lifted_at else ""
        raise Refused(f"Quarantine {quarantine_id} was lifted by {found.lifted_by}{when}")
    record(
        connection, found.run_id, to_text(at), "quarantine", rollback_id=found.rollback_id,
        actor=actor, detail=f"{found.version} in {found.place} lifted: {reason}",
    )  # fmt: skip
    return found


def _quarantine(row: sqlite3.Row) -> Quarantine:
    return Quarantine(
        id=row["id"],
        pipeline=row["pipeline"],
        environment=row["environment"],
        component=row["component"],
        version=row["version"],
        run_id=row["run_id"],
        rollback_id=row["rollback_id"],
        created_at=from_text(row["created_at"]),
        lifted_by=row["lifted_by"],
        lifted_at=moment(row["lifted_at"]),
        lift_reason=row["lift_reason"],
    )
