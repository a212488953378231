"""Releases: recorded with the success of a stage, marked when a rollback takes them back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, to_text
from orchestrate_tui.domain.release import Release, Succession
from orchestrate_tui.errors import NotFound, RollbackRefused
from orchestrate_tui.store.placing import Line, in_place, note_return, place_before
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rows import moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

_STANDING = """
    SELECT *, (
            SELECT id FROM quarantines INDEXED BY quarantined_versions
            WHERE pipeline = releases.pipeline AND environment = releases.environment
                AND version = releases.version AND lifted_at IS NULL
                AND (component IS releases.component OR component IS NULL)
        ) AS quarantine
    FROM releases
"""
_OF_RUN = """
    WHERE pipeline = (SELECT pipeline FROM runs WHERE id = ?1)
        AND environment IN (SELECT environment FROM stages WHERE run_id = ?1)
        AND run_id < ?1 AND pruned_at IS NULL
        AND CASE WHEN ?2 = 'golden' THEN pinned_at IS NOT NULL
            ELSE version = ?2 OR CAST(id AS TEXT) = ?2 END
    ORDER BY CAST(id AS TEXT) = ?2 DESC, undone_by IS NOT NULL, id DESC LIMIT 1
"""
_NAMED = f"{_STANDING} {_OF_RUN}"


def insert_release(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    version: str,
    at: datetime,
    *,
    components: Sequence[str] = (),
) -> None:
    """Record what a stage with an environment, that has just succeeded, brought there.

    That is a release for each of its `components`, () means one for the stage as a whole.
    `version` is what the run knows as `${version}`; an output `version` of the stage comes first.
    """
    own = _output(connection, run_id, stage_name)
    version = version if own is None else own
    since = to_text(at)
    place = connection.execute(
        "SELECT environment FROM stages WHERE run_id = ? AND stage_name = ?", (run_id, stage_name)
    ).fetchone()
    said = " ".join(filter(None, (version, f"in {place['environment']}")))
    record(connection, run_id, since, "release", stage_name=stage_name, detail=said)
    connection.executemany(
        """
        INSERT INTO releases (pipeline, environment, component, run_id, stage_name, version,
            definition_hash, event_id, created_at)
        SELECT pipeline, ?, ?, id, ?, ?, definition_hash, (SELECT max(id) FROM events), ?
        FROM runs WHERE id = ?
        """,
        [
            (place["environment"], component, stage_name, version, since, run_id)
            for component in components or (None,)
        ],
    )


def mark_undone(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    rollback_id: int,
    component: str | None = None,
) -> None:
    """Note that a rollback has taken back what a stage brought to its environment, if it did.

    `component` None means all of it.
    """
    connection.execute(
        "UPDATE releases SET undone_by = ?1 WHERE run_id = ?2 AND stage_name = ?3"
        " AND undone_by IS NULL AND (?4 IS NULL OR component = ?4)",
        (rollback_id, run_id, stage_name, component),
    )


def mark_gone(connection: sqlite3.Connection, run_id: int, rollback_id: int, at: datetime) -> None:
    """Note that a rollback which succeeded took with it what nothing had to undo.

    That is what stages in its scope without a step, such as a test of what was deployed, brought
    to an environment in which it undid another stage.
    """
    plan = connection.execute(
        "SELECT plan FROM rollback_events WHERE id = ?", (rollback_id,)
    ).fetchone()
    rows = connection.execute(
        """
        SELECT id, stage_name, component FROM releases
        WHERE run_id = ?1 AND undone_by IS NULL
            AND stage_name IN (SELECT value FROM json_each(?3, '$.scope'))
            AND stage_name NOT IN (SELECT stage_name FROM rollback_steps WHERE rollback_id = ?2)
            AND (component IS NULL OR json_array_length(?3, '$.components') = 0
                OR component IN (SELECT value FROM json_each(?3, '$.components')))
            AND environment IN
                (SELECT environment FROM rollback_steps
                WHERE rollback_id = ?2 AND status IN ('succeeded', 'done'))
        """,
        (run_id, rollback_id, plan["plan"]),
    ).fetchall()
    for row in rows:
        name, component = row["stage_name"], row["component"]
        note_return(connection, run_id, name, rollback_id, component)
        mark_undone(connection, run_id, name, rollback_id, component)
        record(
            connection, run_id, to_text(at), "release", stage_name=name,
            rollback_id=rollback_id, detail=f"release {row['id']} gone with what it was about",
        )  # fmt: skip


def read_release(connection: sqlite3.Connection, release_id: int) -> Release:
    """One release with its outputs. Raises NotFound."""
    row = connection.execute(f"{_STANDING} WHERE id = ?", (release_id,)).fetchone()
    if row is None:
        raise NotFound(
            f"There is no release {release_id}",
            next_step="List them with: orchestrate-tui releases",
        )
    return _with_outputs(connection, *_releases(connection, [row]))


def find_release(connection: sqlite3.Connection, run_id: int, wanted: str) -> Release:
    """The release that a rollback of a run is to return to: by its id, its version, or `golden`.

    It is one of the environments of the run, from before it. Raises RollbackRefused for another
    one, and for one that is not fit to return to.
    """
    row = connection.execute(_NAMED, (run_id, wanted)).fetchone()
    if row is None:
        raise RollbackRefused(
            f"There is no release '{wanted}' from before run {run_id} in its environments",
            next_step="List them with: orchestrate-tui releases",
        )
    (release,) = _releases(connection, [row])
    if release.undone_by is not None:
        raise RollbackRefused(
            f"Release {release.id} was undone by rollback {release.undone_by}",
            next_step="Choose another one: orchestrate-tui releases",
        )
    if release.quarantine is not None:
        raise RollbackRefused(
            f"Version {release.version} is quarantined in {release.environment}",
            next_step=f"Lift that with: orchestrate-tui lift {release.quarantine} --reason TEXT",
        )
    return _with_outputs(connection, release)


def list_releases(
    connection: sqlite3.Connection,
    *,
    pipeline: str | None = None,
    environment: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[Release, ...]:
    """Releases with their outputs, newest first; None does not narrow."""
    conditions = {"pipeline = ?": pipeline, "environment = ?": environment, "id < ?": before}
    given = {clause: value for clause, value in conditions.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    query = f"{_STANDING} {where} ORDER BY id DESC LIMIT ?"
    rows = connection.execute(query, (*given.values(), limit)).fetchall()
    return tuple(_with_outputs(connection, one) for one in _releases(connection, rows))


def succession(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    version: str = "",
    *,
    component: str | None = None,
    starts: Mapping[str, int] | None = None,
) -> Succession:
    """What a stage of a run brought to its environment, and what an undo of it goes back to.

    That is what was in place before the stage began, see place_before, unless it was pruned.
    `version` is as for insert_release, `starts` as for place_before.
    """
    own = connection.execute(
        "SELECT version FROM releases WHERE run_id = ? AND stage_name = ? ORDER BY id DESC LIMIT 1",
        (run_id, stage_name),
    ).fetchone()
    earlier = place_before(connection, run_id, stage_name, component, starts=starts)
    found = None if earlier is None else read_release(connection, earlier)
    return Succession(
        version=own["version"] if own else _output(connection, run_id, stage_name) or version,
        earlier=None if found is None or found.pruned_at else found,
    )


def _output(connection: sqlite3.Connection, run_id: int, stage_name: str) -> str | None:
    row = connection.execute(
        "SELECT value FROM outputs WHERE run_id = ? AND stage_name = ? AND key = 'version'",
        (run_id, stage_name),
    ).fetchone()
    return row["value"] if row else None


def _with_outputs(connection: sqlite3.Connection, release: Release) -> Release:
    """The release with the outputs of its stage.

    What other stages of the same run put out in the same environment fills what these lack.
    """
    rows = connection.execute(
        """
        SELECT key, value FROM outputs JOIN stages USING (run_id, stage_name)
        WHERE run_id = ? AND environment = ? ORDER BY stage_name = ?, position
        """,
        (release.run_id, release.environment, release.stage_name),
    )
    return replace(release, outputs=tuple({row["key"]: row["value"] for row in rows}.items()))


def _releases(connection: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> Iterator[Release]:
    """The releases of those rows, without their outputs."""
    present: dict[Line, int | None] = {}
    for row in rows:
        line = Line.of(row)
        if line not in present:
            present[line] = in_place(connection, line)
        yield _release(row, is_current=present[line] == row["id"])


def _release(row: sqlite3.Row, *, is_current: bool) -> Release:
    return Release(
        id=row["id"],
        pipeline=row["pipeline"],
        environment=row["environment"],
        component=row["component"],
        run_id=row["run_id"],
        stage_name=row["stage_name"],
        version=row["version"],
        definition_hash=row["definition_hash"],
        created_at=from_text(row["created_at"]),
        undone_by=row["undone_by"],
        pinned_by=row["pinned_by"],
        pinned_at=moment(row["pinned_at"]),
        pin_reason=row["pin_reason"],
        is_current=is_current,
        quarantine=row["quarantine"],
        pruned_at=moment(row["pruned_at"]),
    )
