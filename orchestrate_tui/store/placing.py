"""What is in place in an environment: one rule for lists, undos, refusals and pruning.

What a stage, or a component of it, did there last counts: its success put its release in place, an
undo put back what it went back to, which is the release that was named for it or the one that was
in place before the undone stage began. A release that was undone at any time is never in place;
what was there before it stands for it. So a release that a rollback passed over, because an older
one was named, is in place no more, although nothing undid it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

_LAST = """
    SELECT release_id FROM (
        SELECT * FROM (
            SELECT event_id, id AS release_id FROM releases INDEXED BY releases_by_stage
            WHERE pipeline = :pipeline AND environment = :environment AND stage_name = :stage_name
                AND event_id < :moment AND run_id <> :run_id
                AND (:any OR component IS NULL OR component = :component)
            ORDER BY event_id DESC, id DESC LIMIT 1)
        UNION ALL SELECT * FROM (
            SELECT event_id, release_id FROM returns INDEXED BY returns_by_stage
            WHERE pipeline = :pipeline AND environment = :environment AND stage_name = :stage_name
                AND event_id < :moment AND (:any OR component IS NULL OR component = :component)
            ORDER BY event_id DESC, id DESC LIMIT 1)
    ) ORDER BY event_id DESC LIMIT 1
"""
_LAST_OF_ANY = (
    _LAST.replace("AND stage_name = :stage_name", "")
    .replace("releases_by_stage", "releases_by_place")
    .replace("ORDER BY event_id DESC, id DESC", "ORDER BY id DESC", 1)
)
"""The same of all stages in the environment."""

_NOW = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a stage brings to an environment, one release after the other.

    `component` None means the stage as a whole. What a stage brings as a whole is brought of each
    of its components too.
    """

    pipeline: str
    environment: str
    stage_name: str
    component: str | None = None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Line:
        """That of a release."""
        return cls(
            pipeline=row["pipeline"],
            environment=row["environment"],
            stage_name=row["stage_name"],
            component=row["component"],
        )


def in_place(connection: sqlite3.Connection, line: Line) -> int | None:
    """The release that is in place there now; None for none."""
    return _in_place(connection, _LAST, asdict(line) | {"any": False, "run_id": 0}, _NOW)


def is_passed_over(connection: sqlite3.Connection, release: sqlite3.Row) -> bool:
    """Whether an undo since then went back beyond a release that nothing undid."""
    line = Line.of(release)
    passed = connection.execute(
        "SELECT 1 FROM returns INDEXED BY returns_by_stage WHERE pipeline = :pipeline"
        " AND environment = :environment AND stage_name = :stage_name AND event_id > :event_id"
        " AND (component IS NULL OR component IS :component)",
        asdict(line) | {"event_id": release["event_id"]},
    ).fetchone()
    return passed is not None and in_place(connection, line) != release["id"]


def all_in_place(connection: sqlite3.Connection) -> frozenset[int]:
    """The releases that are in place anywhere."""
    lines = "SELECT DISTINCT pipeline, environment, stage_name, component FROM releases"
    found = (in_place(connection, Line.of(row)) for row in connection.execute(lines).fetchall())
    return frozenset(one for one in found if one is not None)


def place_before(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    component: str | None = None,
    *,
    starts: Mapping[str, int] | None = None,
) -> int | None:
    """The release that was in place before a stage of a run began, or is before it begins.

    That is one of the same stage, else of another one in the same environment; where it is about
    a `component`, one of that, or of a stage as a whole. None for none, or no environment.
    Who asks about many stages of a run gives their `starts`, see order_of_starts.
    """
    row = connection.execute(
        "SELECT pipeline, environment FROM stages JOIN runs ON runs.id = run_id"
        " WHERE run_id = ? AND stage_name = ? AND environment IS NOT NULL",
        (run_id, stage_name),
    ).fetchone()
    if row is None:
        return None
    known = {
        "pipeline": row["pipeline"],
        "environment": row["environment"],
        "stage_name": stage_name,
        "component": component,
        "any": component is None,
        "run_id": run_id,
    }
    known_start = (
        began_at(connection, run_id, stage_name) if starts is None else starts.get(stage_name)
    )
    began = known_start or _NOW
    found = _in_place(connection, _LAST, known, began)
    return found if found is not None else _in_place(connection, _LAST_OF_ANY, known, began)


def note_return(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    rollback_id: int,
    component: str | None = None,
) -> None:
    """Note what the undo of a stage, or of its `component`, has put back in its environment.

    Nothing is noted without an environment, or of a simulated run.
    """
    named = _named(connection, run_id, stage_name, rollback_id, component)
    before = named or place_before(connection, run_id, stage_name, component)
    connection.execute(
        """
        INSERT INTO returns
            (pipeline, environment, stage_name, component, rollback_id, event_id, release_id)
        SELECT pipeline, environment, stage_name, ?3, ?4, (SELECT max(id) FROM events), ?5
        FROM stages JOIN runs ON runs.id = run_id
        WHERE run_id = ?1 AND stage_name = ?2 AND environment IS NOT NULL AND NOT simulated
        """,
        (run_id, stage_name, component, rollback_id, before),
    )


def sibling_of(
    connection: sqlite3.Connection, release_id: int, stage_name: str, component: str | None = None
) -> int | None:
    """What a stage brought to the environment in the run of a release; else the release itself.

    None where nothing of the `component` is there any more.
    """
    row = connection.execute(
        """
        SELECT other.id FROM releases AS named
            JOIN releases AS other INDEXED BY releases_by_run ON other.run_id = named.run_id
        WHERE named.id = ?1 AND other.environment = named.environment AND other.undone_by IS NULL
            AND (?3 IS NULL OR other.component IS NULL OR other.component = ?3)
            AND (other.stage_name = ?2
                OR other.id = named.id AND (named.component IS NULL OR named.component IS ?3))
        ORDER BY other.stage_name = ?2 DESC, other.id DESC LIMIT 1
        """,
        (release_id, stage_name, component),
    ).fetchone()
    return row["id"] if row else None


def _named(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    rollback_id: int,
    component: str | None,
) -> int | None:
    """The release that somebody named for a rollback, as it is about the stage; None for none.

    Where the stage has a step, its plan says what it went back to.
    """
    row = connection.execute(
        """
        SELECT release_id, named.environment, (
            SELECT value FROM json_each(event.plan, '$.steps')
            WHERE json_extract(value, '$.stage_name') = ?2
                AND json_extract(value, '$.component') IS ?3) AS step
        FROM rollback_events AS event JOIN releases AS named ON named.id = release_id
            JOIN stages ON stages.run_id = ?4 AND stages.stage_name = ?2
                AND stages.environment = named.environment
        WHERE event.id = ?1
        """,
        (rollback_id, stage_name, component, run_id),
    ).fetchone()
    if row is None:
        return None
    if row["step"] is not None:
        planned: int | None = json.loads(row["step"])["release"]
        return planned
    return sibling_of(connection, row["release_id"], stage_name, component)


def began_at(connection: sqlite3.Connection, run_id: int, stage_name: str) -> int | None:
    """The event with which a stage first started; None before."""
    began: int | None = connection.execute(
        "SELECT min(id) FROM events INDEXED BY events_by_run"
        " WHERE run_id = ? AND kind = 'stage' AND stage_name = ? AND to_status = 'running'",
        (run_id, stage_name),
    ).fetchone()[0]
    return began


def _in_place(
    connection: sqlite3.Connection, last: str, known: dict[str, object], moment: int
) -> int | None:
    """What was in place before the event `moment`, of what was not undone at any time."""
    while True:
        entry = connection.execute(last, known | {"moment": moment}).fetchone()
        if entry is None or entry["release_id"] is None:
            return None
        release = connection.execute(
            "SELECT id, run_id, stage_name, event_id, undone_by FROM releases WHERE id = ?",
            (entry["release_id"],),
        ).fetchone()
        if release["undone_by"] is None:
            return int(release["id"])
        began = began_at(connection, release["run_id"], release["stage_name"])
        moment = min(moment, began or release["event_id"])
