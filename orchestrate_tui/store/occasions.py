"""Which events somebody is to be told of: noted in the transaction that records them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.store.connection import ImmediateConnection

if TYPE_CHECKING:
    import sqlite3

    from orchestrate_tui.domain.pipeline import Pipeline
    from orchestrate_tui.store.record import EventRow

_WAITING, _TRIPPED = "waiting_approval", "tripped"
_OCCASIONS = MappingProxyType(
    {
        ("stage", _WAITING): Occasion.APPROVAL_REQUESTED,
        ("run", "failed"): Occasion.RUN_FAILED,
        ("rollback", "running"): Occasion.ROLLBACK_STARTED,
        ("rollback", "succeeded"): Occasion.ROLLBACK_SUCCEEDED,
        ("rollback", "failed"): Occasion.ROLLBACK_FAILED,
        ("waiting", "running"): Occasion.ROLLBACK_FAILED,
        ("breaker", _TRIPPED): Occasion.BREAKER_TRIPPED,
    }
)
"""The kind of an event and the status it leads to; whoever records such an event has it told."""

_NOTE = """
    INSERT INTO notifications
        (run_id, occasion, rule, stage_name, rollback_id, detail, epoch, due_at, wait_s, created_at)
    SELECT :run, :occasion, rule, :stage, :rollback, :detail,
        CASE WHEN :rollback IS NULL THEN (SELECT epoch FROM runs WHERE id = :run)
            ELSE (SELECT epoch FROM rollback_events WHERE id = :rollback) END,
        :at, 0, :at
    FROM notify_rules WHERE run_id = :run AND occasion = :occasion ORDER BY rule
"""


def keep_rules(connection: sqlite3.Connection, run_id: int, pipeline: Pipeline) -> None:
    """Have the rules of a pipeline tell of this run."""
    connection.executemany(
        "INSERT INTO notify_rules VALUES (?, ?, ?)",
        [(run_id, occasion, at) for at, rule in enumerate(pipeline.notify) for occasion in rule.on],
    )


def note(connection: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    """Note what is to be told of these events, and end what they have settled."""
    for row in rows:
        kind, before, after = row[2], row[5], row[6]
        if before == _WAITING:
            _settle_approval(connection, row)
        elif before == _TRIPPED:
            outcome, tripped = f"the breaker was {after} by {row[8]}", Occasion.BREAKER_TRIPPED
            settle(connection, row[0], outcome, row[1], occasion=tripped, rollback_id=row[4])
        occasion = _OCCASIONS.get((kind, after or ""))
        if occasion is not None:
            _note(connection, occasion, row)


def _note(connection: sqlite3.Connection, occasion: Occasion, row: EventRow) -> None:
    run_id, at, kind, stage, rollback_id, _, after, *_, detail = row
    if (kind, after) in {("rollback", "succeeded"), ("rollback", "failed")}:
        _settle_start(connection, row)
        settle_wait(connection, run_id, rollback_id, f"the rollback has {after}", at)
    noted = connection.execute(
        _NOTE,
        {
            "run": run_id,
            "occasion": occasion,
            "stage": stage,
            "rollback": rollback_id,
            "detail": detail,
            "at": at,
        },
    ).rowcount
    if noted:
        _call(connection)


def _settle_approval(connection: sqlite3.Connection, row: EventRow) -> None:
    run_id, at, _, stage, _, _, after, *_ = row
    settle(
        connection, run_id, f"the stage is {after}", at,
        occasion=Occasion.APPROVAL_REQUESTED, stage_name=stage,
    )  # fmt: skip


def _settle_start(connection: sqlite3.Connection, row: EventRow) -> None:
    """Tell nobody else that a rollback has started; the first are told, however soon it ended."""
    run_id, at, _, _, rollback_id, _, after, *_ = row
    outcome, start = f"the rollback has {after}", Occasion.ROLLBACK_STARTED
    connection.execute(
        "UPDATE notifications INDEXED BY notifications_by_run SET outcome = ?"
        " WHERE run_id = ? AND rollback_id = ? AND occasion = ? AND step = 0 AND ended_at IS NULL",
        (outcome, run_id, rollback_id, start),
    )
    settle(connection, run_id, outcome, at, occasion=start, rollback_id=rollback_id)


def settle_wait(
    connection: sqlite3.Connection, run_id: int, rollback_id: int | None, outcome: str, at: str
) -> None:
    """Tell nobody any more that a rollback waits for a decision."""
    failed = Occasion.ROLLBACK_FAILED
    settle(connection, run_id, outcome, at, occasion=failed, rollback_id=rollback_id)


def settle(
    connection: sqlite3.Connection,
    run_id: int,
    outcome: str,
    at: str,
    *,
    occasion: Occasion | None = None,
    stage_name: str | None = None,
    rollback_id: int | None = None,
) -> int:
    """Tell nobody any more of what of a run is not yet told; returns how much that was.

    None does not narrow. What is being sent at this moment arrives all the same. What has an
    outcome already ends by itself, unless nothing is narrowed.
    """
    narrowing = {"occasion": occasion, "stage_name": stage_name, "rollback_id": rollback_id}
    given = {name: value for name, value in narrowing.items() if value is not None}
    where = "".join(f" AND {name} = ?" for name in given)
    if given:
        where += " AND outcome = ''"
    query = f"""
        SELECT id FROM notifications INDEXED BY notifications_by_run
        WHERE run_id = ? AND ended_at IS NULL{where}
    """  # noqa: S608  (names of our own)
    found = [(row["id"],) for row in connection.execute(query, (run_id, *given.values()))]
    if found:
        connection.executemany(
            "UPDATE notifications SET ended_at = ?, outcome = ?, due_at = NULL WHERE id = ?",
            [(at, outcome, identity) for (identity,) in found],
        )
        connection.executemany(
            "UPDATE deliveries SET status = 'dropped', due_at = NULL"
            " WHERE notification_id = ? AND status = 'pending'",
            found,
        )
    return len(found)


def epochs_telling(connection: sqlite3.Connection) -> frozenset[int | None]:
    """The executors, None for nobody, that see to what is not told to its end."""
    query = """
        SELECT DISTINCT epoch FROM notifications INDEXED BY notifications_under_way
        WHERE ended_at IS NULL
    """
    return frozenset(row["epoch"] for row in connection.execute(query))


def runs_told_of(connection: sqlite3.Connection) -> tuple[tuple[int, int | None], ...]:
    """The runs of which not all is told, each with the executor that sees to it, None nobody."""
    query = """
        SELECT DISTINCT run_id, epoch FROM notifications INDEXED BY notifications_under_way
        WHERE ended_at IS NULL ORDER BY run_id
    """
    return tuple((row["run_id"], row["epoch"]) for row in connection.execute(query))


def are_open(connection: sqlite3.Connection, epoch: int) -> bool:
    """Whether something has not ended that this executor sees to."""
    query = "SELECT EXISTS (SELECT 1 FROM notifications WHERE epoch = ? AND ended_at IS NULL)"
    return bool(connection.execute(query, (epoch,)).fetchone()[0])


def hand_over(connection: sqlite3.Connection, run_id: int, seen: int | None, epoch: int) -> None:
    """Let `epoch` see to what `seen` saw to of the notifications of a run."""
    query = """
        SELECT id FROM notifications INDEXED BY notifications_by_run
        WHERE run_id = ? AND epoch IS ? AND ended_at IS NULL
    """
    give(connection, [row["id"] for row in connection.execute(query, (run_id, seen))], epoch)


def give(connection: sqlite3.Connection, notification_ids: Collection[int], epoch: int) -> None:
    """Let `epoch` see to these notifications.

    What was being sent is sent again: nobody knows whether it arrived.
    """
    connection.executemany(
        "UPDATE notifications SET epoch = ? WHERE id = ?",
        [(epoch, identity) for identity in notification_ids],
    )
    connection.executemany(
        "UPDATE deliveries SET status = 'pending', due_at = started_at, wait_s = 0"
        " WHERE notification_id = ? AND status = 'sending'",
        [(identity,) for identity in notification_ids],
    )
    if notification_ids:
        _call(connection)


def _call(connection: sqlite3.Connection) -> None:
    """Have whoever sees to notifications look, once this is committed."""
    if isinstance(connection, ImmediateConnection):
        connection.has_noted = True
