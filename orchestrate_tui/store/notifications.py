"""Notifications under way: what is due, who sees to it, and what became of each delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, to_text
from orchestrate_tui.domain.notification import Delivery, DeliveryStatus, Notification
from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.occasions import give
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rows import moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

    from orchestrate_tui.domain.notifying import NotifyRule

RETRIES_AFTER_S = (10.0, 60.0)
"""After so long a delivery is tried again that failed for the first time, and the second."""

KIND = "notification"
"""The kind of event that says what became of a delivery."""

_MINE = "SELECT * FROM notifications INDEXED BY notifications_under_way"
_IS_DUE = "(due_at <= :at OR strftime('%s', due_at) - strftime('%s', :at) > wait_s + 1)"
"""Its time has come, or was set before a clock was set back."""

_EVERYBODY = "everybody was told"


def rule_of(connection: sqlite3.Connection, notification: Notification) -> NotifyRule:
    """The rule that tells of it, as it was when the run was created."""
    query = "SELECT definition_hash FROM runs WHERE id = ?"
    row = connection.execute(query, (notification.run_id,)).fetchone()
    return read_definition(connection, row["definition_hash"]).notify[notification.rule]


def list_notifications(
    connection: sqlite3.Connection, run_id: int | None = None, *, limit: int = 1000
) -> tuple[Notification, ...]:
    """Notifications with their deliveries, newest first, of one run or (None) of all."""
    where, given = ("", ()) if run_id is None else ("WHERE run_id = ?", (run_id,))
    query = f"SELECT * FROM notifications {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    found = [_notification_of(row) for row in connection.execute(query, (*given, limit))]
    return tuple(replace(one, deliveries=_deliveries(connection, one.id)) for one in found)


def adopt(
    connection: sqlite3.Connection,
    *,
    left: Collection[int | None],
    epoch: int,
    known: Mapping[str, str],
) -> tuple[int, ...]:
    """See to what the executors `left` do not see to any more; returns the ids of that.

    Only what can be told: all of its channels are among the variables that are `known`.
    """
    rows = connection.execute(f"{_MINE} WHERE ended_at IS NULL ORDER BY id").fetchall()
    found = [_notification_of(row) for row in rows if row["epoch"] in left]
    taken = tuple(
        one.id
        for one in found
        if all(known.get(channel) for channel in rule_of(connection, one).channels)
    )
    give(connection, taken, epoch)
    return taken


def recover(connection: sqlite3.Connection, epoch: int) -> None:
    """Send again what an earlier notifier of this executor left under way."""
    query = "SELECT id FROM notifications WHERE epoch = ? AND ended_at IS NULL"
    give(connection, [row["id"] for row in connection.execute(query, (epoch,))], epoch)


def take_due(
    connection: sqlite3.Connection, epoch: int, at: datetime
) -> tuple[tuple[Notification, Delivery], ...]:
    """Begin every step and every delivery of this executor that is due; they count as under way."""
    query = f"{_MINE} WHERE epoch = ? AND ended_at IS NULL ORDER BY id"
    mine = [_notification_of(row) for row in connection.execute(query, (epoch,)).fetchall()]
    begun: list[tuple[Notification, Delivery]] = []
    due = _due(connection, epoch, at)
    for one in mine:
        if one.id in due:
            _begin_step(connection, one, at)
        begun += [(one, delivery) for delivery in _begin_deliveries(connection, one, at)]
        _end_if_done(connection, one, at)
    return tuple(begun)


def _due(connection: sqlite3.Connection, epoch: int, at: datetime) -> frozenset[int]:
    """The notifications of this executor whose next step is due."""
    query = f"SELECT id FROM notifications WHERE epoch = :epoch AND ended_at IS NULL AND {_IS_DUE}"  # noqa: S608
    rows = connection.execute(query, {"epoch": epoch, "at": to_text(at)})
    return frozenset(row["id"] for row in rows)


def _begin_step(connection: sqlite3.Connection, one: Notification, at: datetime) -> None:
    rule = rule_of(connection, one)
    connection.executemany(
        "INSERT INTO deliveries (notification_id, step, channel, due_at, wait_s)"
        " VALUES (?, ?, ?, ?, 0)",
        [(one.id, one.step, channel, to_text(at)) for channel in rule.told_in(one.step)],
    )
    wait_s = None if one.outcome else rule.wait_before(one.step + 1)
    next_at = None if wait_s is None else to_text(at + timedelta(seconds=wait_s))
    connection.execute(
        "UPDATE notifications SET step = ?, due_at = ?, wait_s = ? WHERE id = ?",
        (one.step + 1, next_at, wait_s or 0, one.id),
    )


def _begin_deliveries(
    connection: sqlite3.Connection, one: Notification, at: datetime
) -> tuple[Delivery, ...]:
    moment = to_text(at)
    query = f"""
        SELECT * FROM deliveries
        WHERE notification_id = :one AND status = 'pending' AND {_IS_DUE} ORDER BY id
    """  # noqa: S608  (words of our own)
    rows = connection.execute(query, {"one": one.id, "at": moment}).fetchall()
    connection.executemany(
        "UPDATE deliveries SET status = 'sending', attempt = attempt + 1, started_at = ?,"
        " due_at = NULL WHERE id = ?",
        [(moment, row["id"]) for row in rows],
    )
    return tuple(
        replace(_delivery_of(row), status=DeliveryStatus.SENDING, attempt=row["attempt"] + 1)
        for row in rows
    )


def was_told(connection: sqlite3.Connection, delivery: Delivery) -> bool:
    """Whether the channel of a delivery has taken an earlier step of the same notification."""
    query = """
        SELECT EXISTS (SELECT 1 FROM deliveries
            WHERE notification_id = ? AND channel = ? AND step < ? AND status = 'sent')
    """
    given = (delivery.notification_id, delivery.channel, delivery.step)
    return bool(connection.execute(query, given).fetchone()[0])


def is_due(connection: sqlite3.Connection, epoch: int, at: datetime) -> bool:
    """Whether this executor has a step or a delivery to begin."""
    query = f"""
        SELECT EXISTS (
            SELECT 1 FROM notifications AS one INDEXED BY notifications_under_way
            WHERE epoch = :epoch AND ended_at IS NULL AND ({_IS_DUE} OR EXISTS (
                SELECT 1 FROM deliveries
                WHERE notification_id = one.id AND status = 'pending' AND {_IS_DUE})))
    """  # noqa: S608  (words of our own)
    return bool(connection.execute(query, {"epoch": epoch, "at": to_text(at)}).fetchone()[0])


def note_delivery(
    connection: sqlite3.Connection,
    notification: Notification,
    delivery: Delivery,
    error: str,
    at: datetime,
) -> None:
    """Record what became of a delivery; `error` "" means that the channel has taken it.

    One that failed is tried again later, unless that was the last time or nobody needs to be
    told any more.
    """
    moment = to_text(at)
    row = connection.execute(
        "SELECT ended_at FROM notifications WHERE id = ?", (notification.id,)
    ).fetchone()
    is_last = delivery.attempt > len(RETRIES_AFTER_S) or row["ended_at"] is not None
    status, due_at, wait_s = DeliveryStatus.SENT, None, 0.0
    if error and is_last:
        status = DeliveryStatus.FAILED
    elif error:
        status = DeliveryStatus.PENDING
        wait_s = RETRIES_AFTER_S[delivery.attempt - 1]
        due_at = to_text(at + timedelta(seconds=wait_s))
    changed = connection.execute(
        "UPDATE deliveries SET status = ?, error = ?, due_at = ?, wait_s = ?, completed_at = ?"
        " WHERE id = ? AND status = 'sending' AND attempt = ?",
        (status, error, due_at, wait_s, moment, delivery.id, delivery.attempt),
    ).rowcount
    if not changed:  # somebody else took it for lost, and sends it again
        return
    what = f"{notification.occasion} to {delivery.channel}"
    record(
        connection, notification.run_id, moment, KIND,
        stage_name=notification.stage_name, rollback_id=notification.rollback_id,
        to_status=DeliveryStatus.FAILED if error else DeliveryStatus.SENT,
        attempt=delivery.attempt, detail=f"{what}: {error}" if error else what,
    )  # fmt: skip
    _end_if_done(connection, notification, at)


def _end_if_done(connection: sqlite3.Connection, one: Notification, at: datetime) -> None:
    connection.execute(
        """
        UPDATE notifications SET ended_at = ?, outcome = coalesce(nullif(outcome, ''), ?)
        WHERE id = ? AND ended_at IS NULL AND due_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM deliveries
            WHERE notification_id = ? AND status IN ('pending', 'sending'))
        """,
        (to_text(at), _EVERYBODY, one.id, one.id),
    )


def _deliveries(connection: sqlite3.Connection, notification_id: int) -> tuple[Delivery, ...]:
    query = "SELECT * FROM deliveries WHERE notification_id = ? ORDER BY id"
    return tuple(_delivery_of(row) for row in connection.execute(query, (notification_id,)))


def _notification_of(row: sqlite3.Row) -> Notification:
    """A row of `notifications`, without its deliveries."""
    return Notification(
        id=row["id"],
        run_id=row["run_id"],
        occasion=Occasion(row["occasion"]),
        rule=row["rule"],
        stage_name=row["stage_name"],
        rollback_id=row["rollback_id"],
        detail=row["detail"],
        epoch=row["epoch"],
        step=row["step"],
        due_at=moment(row["due_at"]),
        created_at=from_text(row["created_at"]),
        ended_at=moment(row["ended_at"]),
        outcome=row["outcome"],
    )


def _delivery_of(row: sqlite3.Row) -> Delivery:
    """A row of `deliveries`."""
    return Delivery(
        id=row["id"],
        notification_id=row["notification_id"],
        step=row["step"],
        channel=row["channel"],
        status=DeliveryStatus(row["status"]),
        attempt=row["attempt"],
        error=row["error"],
        due_at=moment(row["due_at"]),
        started_at=moment(row["started_at"]),
        completed_at=moment(row["completed_at"]),
    )
