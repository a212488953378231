"""Rollback events and their steps: inserted under the rules, changed under guard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrate_tui.domain.components import overlaps
from orchestrate_tui.domain.moments import from_text, spoken, to_text
from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    ROLLBACK_TRANSITIONS,
    RollbackStatus,
    RollbackTriggerType,
)
from orchestrate_tui.errors import NotFound, RollbackLoop, RollbackRefused, StaleTransition
from orchestrate_tui.stagehost.boot import boot_clock, boot_id
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.fencing import check_carrier
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rows import as_list, rollback_of, texts
from orchestrate_tui.store.runs import check_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection
    from datetime import datetime

    from orchestrate_tui.domain.events import RollbackEvent
    from orchestrate_tui.store.database import Database

_COLUMNS = (
    "run_id", "failed_stage_name", "rollback_to_stage", "trigger_type", "status",
    "error_message", "started_at", "completed_at", "created_at", "actor", "reason",
    "components", "retry_of", "waits", "waiting_since", "accept_irreversible", "plan", "plan_hash",
    "epoch", "release_id", "definition_hash", "cascade",
)  # fmt: skip
_INSERT = (
    f"INSERT INTO rollback_events ({', '.join(_COLUMNS)}, boot_id, boot_s)"  # noqa: S608  (our own)
    f" VALUES ({', '.join('?' * len(_COLUMNS))}, ?, ?)"
)
_INDEXES = {
    "run_id = ?": "INDEXED BY rollback_events_by_run",
    "status = ?": "INDEXED BY rollback_events_by_status",
}
"""The index that finds and orders what the first condition asks for."""
_UPDATE = (
    f"UPDATE rollback_events SET {', '.join(f'{name} = ?' for name in _COLUMNS)}"  # noqa: S608
    " WHERE id = ? AND status = ? AND epoch IS ?"
)


def insert_rollback_event(database: Database, event: RollbackEvent) -> int:
    """Store a new rollback event; returns its id.

    The actor of a manual one without an actor is the operating system's user.
    """
    if event.trigger_type is RollbackTriggerType.MANUAL and not event.actor:
        event = replace(event, actor=current_user())
    return database.write(lambda connection: insert(connection, event))


def get_rollback_event(database: Database, rollback_id: int) -> RollbackEvent:
    """The rollback event of that id. Raises NotFound."""
    return database.read(lambda connection: read(connection, rollback_id))


def update_rollback_event(database: Database, event: RollbackEvent) -> None:
    """Store the new state of an event; the stored one must be allowed to become it.

    Raises NotFound for an event without an id or an unknown one, StaleTransition for a change of
    status that the table of transitions does not have, and Fenced when somebody else carries the
    rollback out by now: `event.epoch` says who did.
    """
    database.write(lambda connection: update(connection, event))


def list_rollback_events(
    database: Database,
    run_id: int | None = None,
    *,
    status: RollbackStatus | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[RollbackEvent, ...]:
    """Rollback events, newest first; None does not narrow. `before` is the id to go on from."""
    return database.read(
        lambda connection: list_events(
            connection, run_id, status=status, before=before, limit=limit
        )
    )


def count_rollback_events_for_stage(database: Database, run_id: int, stage_name: str) -> int:
    """How often the stage was the target of a rollback of this run, whatever became of it."""
    return database.read(lambda connection: count_for_stage(connection, run_id, stage_name))


def insert(connection: sqlite3.Connection, event: RollbackEvent) -> int:
    """Store a new event and its record; returns its id.

    Raises NotFound for an unknown run, RollbackRefused when the event cannot stand beside
    another one: a second running one of its run, a second repetition of one that failed.
    """
    check_run(connection, event.run_id)
    if event.retry_of is not None:
        _check_repeatable(connection, event.retry_of)
    if event.status is RollbackStatus.RUNNING:
        _check_none_running(connection, event.run_id)
    values = (*_values(event), boot_id(), boot_clock())
    rollback_id = connection.execute(_INSERT, values).lastrowid
    assert rollback_id is not None  # noqa: S101  (an INSERT always has one)
    record(
        connection, event.run_id, to_text(event.created_at), "rollback",
        stage_name=event.rollback_to_stage, rollback_id=rollback_id, to_status=event.status,
        actor=event.actor, detail=event.reason,
    )  # fmt: skip
    if event.definition_hash is not None:
        record(
            connection, event.run_id, to_text(event.created_at), "definition",
            rollback_id=rollback_id, actor=event.actor, detail=event.definition_hash,
        )  # fmt: skip
    return rollback_id


def read(connection: sqlite3.Connection, rollback_id: int) -> RollbackEvent:
    """The event of that id. Raises NotFound."""
    query = "SELECT * FROM rollback_events WHERE id = ?"
    row = connection.execute(query, (rollback_id,)).fetchone()
    if row is None:
        raise NotFound(
            f"There is no rollback {rollback_id}",
            next_step="List them with: orchestrate-tui rollbacks",
        )
    return rollback_of(row)


def update(connection: sqlite3.Connection, event: RollbackEvent) -> None:
    """Store the new state of an event; see update_rollback_event.

    Raises RollbackRefused when it would be the second running one of its run.
    """
    if event.id is None:
        raise NotFound("The rollback event was never stored")
    stored = read(connection, event.id)
    if stored.epoch != event.epoch:
        check_carrier(connection, event.id, event.epoch)
    changes_status = event.status is not stored.status
    if changes_status and event.status not in ROLLBACK_TRANSITIONS[stored.status]:
        raise StaleTransition(
            f"Rollback {event.id} cannot go from {stored.status} to {event.status}"
        )
    if changes_status and event.status is RollbackStatus.RUNNING:
        _check_none_running(connection, event.run_id)
    connection.execute(_UPDATE, (*_values(event), event.id, stored.status, event.epoch))
    if changes_status:
        at = event.completed_at or event.started_at or event.created_at
        record(
            connection, event.run_id, to_text(at), "rollback",
            stage_name=event.rollback_to_stage, rollback_id=event.id,
            from_status=stored.status, to_status=event.status,
            detail=event.error_message or "",
        )  # fmt: skip


def list_events(
    connection: sqlite3.Connection,
    run_id: int | None = None,
    *,
    status: RollbackStatus | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[RollbackEvent, ...]:
    """Events, newest first; see list_rollback_events."""
    conditions = {"run_id = ?": run_id, "status = ?": status, "id < ?": before}
    given = {clause: value for clause, value in conditions.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    # Named because statistics made while there were few rollbacks would choose another index.
    index = _INDEXES.get(next(iter(given), ""), "NOT INDEXED")
    query = f"SELECT * FROM rollback_events {index} {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    rows = connection.execute(query, (*given.values(), limit))
    return tuple(rollback_of(row) for row in rows)


def last_events(
    connection: sqlite3.Connection, run_ids: Collection[int]
) -> tuple[RollbackEvent, ...]:
    """The last event of each of these runs that has one."""
    rows = connection.execute(
        "SELECT * FROM rollback_events WHERE id IN"
        " (SELECT (SELECT max(id) FROM rollback_events INDEXED BY rollback_events_by_run"
        " WHERE run_id = json_each.value) FROM json_each(?))",
        (as_list(run_ids),),
    )
    return tuple(map(rollback_of, rows))


def count_for_stage(connection: sqlite3.Connection, run_id: int, stage_name: str) -> int:
    """How often the stage was the target of a rollback of this run."""
    query = "SELECT count(*) FROM rollback_events WHERE run_id = ? AND rollback_to_stage = ?"
    (count,) = connection.execute(query, (run_id, stage_name)).fetchone()
    return int(count)


def check_loop(
    connection: sqlite3.Connection,
    run_id: int,
    target: str,
    components: Collection[str] = (),
    *,
    known: Collection[str] = (),
) -> None:
    """Raise RollbackLoop when the target was one already in this run, of one of the components.

    None of them means all, and `known` are all that the target has.
    """
    query = """
        SELECT id, actor, components FROM rollback_events
        WHERE run_id = ? AND rollback_to_stage = ? ORDER BY id
    """
    rows = connection.execute(query, (run_id, target)).fetchall()
    before = [row for row in rows if overlaps(components, texts(row["components"]))]
    if before:
        newest = before[-1]
        by = f" by {newest['actor']}" if newest["actor"] else ""
        gone = [texts(row["components"]) or known for row in rows]
        wanted = [name for name in known if name in components or not components]
        left = tuple(name for name in wanted if not any(name in names for names in gone))
        raise RollbackLoop(target, len(before), f"It was rollback {newest['id']}{by}. ", left)


def check_none_under_way(connection: sqlite3.Connection, run_id: int) -> None:
    """Raise RollbackRefused while a rollback of the run is pending or running."""
    query = """
        SELECT id, actor, status, created_at, waiting_since
        FROM rollback_events INDEXED BY rollback_events_by_run
        WHERE run_id = ? AND status IN ('pending', 'running') ORDER BY id LIMIT 1
    """
    row = connection.execute(query, (run_id,)).fetchone()
    if row is not None:
        by = f" by {row['actor']}" if row["actor"] else ""
        raise RollbackRefused(
            f"Rollback {row['id']}{by} of run {run_id} is {row['status']},"
            f" since {spoken(from_text(row['created_at']))}",
            next_step=how_it_ends(row["id"], is_waiting=row["waiting_since"] is not None),
        )


def how_it_ends(rollback_id: int, *, is_waiting: bool) -> str:
    """What somebody does in whose way a rollback is."""
    if not is_waiting:
        return "Wait for its end"
    command = f"orchestrate-tui rollback-step {rollback_id} retry|skip|done|halt --reason TEXT"
    return f"It waits for a decision: {command}"


def _check_none_running(connection: sqlite3.Connection, run_id: int) -> None:
    query = "SELECT id FROM rollback_events WHERE run_id = ? AND status = 'running'"
    row = connection.execute(query, (run_id,)).fetchone()
    if row is not None:
        raise RollbackRefused(
            f"Another rollback of run {run_id} is running: {row['id']}",
            next_step="Wait for its end",
        )


def _check_repeatable(connection: sqlite3.Connection, rollback_id: int) -> None:
    read(connection, rollback_id)
    query = "SELECT id, actor, created_at FROM rollback_events WHERE retry_of = ?"
    row = connection.execute(query, (rollback_id,)).fetchone()
    if row is not None:
        by = f" of {row['actor']}" if row["actor"] else ""
        raise RollbackRefused(
            f"Rollback {rollback_id} was repeated before, by rollback {row['id']}{by}"
            f" at {spoken(from_text(row['created_at']))}",
            next_step=f"Repeat that one, if it failed: rollback {row['id']}",
        )


def check_rollback_owner(
    connection: sqlite3.Connection, rollback_id: int, epoch: int | None
) -> None:
    """Raise Fenced unless `epoch` carries the rollback out, StaleTransition when it has ended."""
    check_carrier(connection, rollback_id, epoch)
    event = read(connection, rollback_id)
    if event.status in ENDED_ROLLBACKS:
        raise StaleTransition(
            f"Rollback {rollback_id} has ended: it {event.status}",
            next_step=f"See it with: orchestrate-tui show {event.run_id}",
        )


def undone_components(connection: sqlite3.Connection, run_id: int) -> dict[str, frozenset[str]]:
    """The components of the stages of a run that rollbacks have undone."""
    query = """
        SELECT step.stage_name, step.component
        FROM rollback_events AS event INDEXED BY rollback_events_by_run
            JOIN rollback_steps AS step ON step.rollback_id = event.id
        WHERE event.run_id = ? AND step.component IS NOT NULL
            AND step.status IN ('succeeded', 'done')
    """
    found: dict[str, frozenset[str]] = {}
    for row in connection.execute(query, (run_id,)):
        name = row["stage_name"]
        found[name] = found.get(name, frozenset()) | {row["component"]}
    return found


def _values(event: RollbackEvent) -> tuple[object, ...]:
    return (
        event.run_id, event.failed_stage_name, event.rollback_to_stage, event.trigger_type,
        event.status, event.error_message, _text(event.started_at), _text(event.completed_at),
        to_text(event.created_at), event.actor, event.reason, as_list(event.components),
        event.retry_of, event.waits, _text(event.waiting_since), event.accept_irreversible,
        event.plan, event.plan_hash, event.epoch, event.release_id,
        event.definition_hash, event.cascade,
    )  # fmt: skip


def _text(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None
