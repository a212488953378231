"""Breakers: after several automatic rollbacks within an hour no new run goes to an environment.

One is tripped for a pipeline and an environment, and stays so until somebody resets it. It never
withholds a rollback.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, spoken, to_text
from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.stagehost.boot import boot_clock, boot_id
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rows import moment
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from orchestrate_tui.domain.events import RollbackEvent

PERIOD = timedelta(hours=1)

_COUNT = """
    SELECT count(DISTINCT event.id)
    FROM (
        SELECT id, run_id, trigger_type
        FROM rollback_events INDEXED BY rollback_events_by_boot
        WHERE boot_id = :boot AND boot_id <> '' AND boot_s > :since_s
        UNION ALL
        SELECT id, run_id, trigger_type
        FROM rollback_events INDEXED BY rollback_events_by_created_at
        WHERE created_at > :since AND (boot_id <> :boot OR boot_id = '')
    ) AS event
        JOIN runs ON runs.id = event.run_id
        JOIN rollback_steps AS step ON step.rollback_id = event.id
        JOIN stages ON stages.run_id = event.run_id AND stages.stage_name = step.stage_name
    WHERE event.id > coalesce((
            SELECT max(reset_after) FROM breakers
            WHERE pipeline = :pipeline AND environment = :environment), 0)
        AND event.trigger_type = 'automatic' AND runs.pipeline = :pipeline
        AND NOT runs.simulated AND stages.environment = :environment
"""
"""How many there were within an hour: of those of this start of the system its own clock says so,
which nobody sets, of others the clock of days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One that was tripped by a rollback; `reset_by` None means that it still is."""

    id: int
    pipeline: str
    environment: str
    rollbacks: int
    run_id: int
    rollback_id: int
    tripped_at: datetime
    reset_by: str | None
    reset_at: datetime | None
    reset_reason: str

    @property
    def sentence(self) -> str:
        """Why no new run may go there."""
        return (
            f"{self.rollbacks} automatic rollbacks of {self.pipeline} in '{self.environment}'"
            f" within an hour, the last one of run {self.run_id} at {spoken(self.tripped_at)}"
        )


def trip(
    connection: sqlite3.Connection,
    event: RollbackEvent,
    pipeline: str,
    limits: Iterable[tuple[str, int]],
    at: datetime,
) -> None:
    """Count an automatic rollback that begins; `limits` are its environments and their numbers.

    A number of 0 never trips.
    """
    since = {
        "boot": boot_id(),
        "since_s": boot_clock() - PERIOD.total_seconds(),
        "since": to_text(at - PERIOD),
    }
    for environment, most in limits:
        known = {"pipeline": pipeline, "environment": environment, **since}
        (count,) = connection.execute(_COUNT, known).fetchone()
        if 0 < most <= count:
            _trip(connection, event, (pipeline, environment, int(count)), to_text(at))


def _trip(
    connection: sqlite3.Connection, event: RollbackEvent, what: tuple[str, str, int], at: str
) -> None:
    tripped = connection.execute(
        "INSERT OR IGNORE INTO breakers"
        " (pipeline, environment, rollbacks, run_id, rollback_id, tripped_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*what, event.run_id, event.id, at),
    ).rowcount
    if tripped:
        pipeline, environment, count = what
        record(
            connection, event.run_id, at, "breaker", rollback_id=event.id, to_status="tripped",
            detail=f"{count} automatic rollbacks of {pipeline} in {environment} within an hour",
        )  # fmt: skip


def find_breaker(
    connection: sqlite3.Connection, pipeline: str, environments: Iterable[str]
) -> Breaker | None:
    """A breaker that keeps new runs of the pipeline from one of these environments, or None."""
    query = "SELECT * FROM breakers WHERE pipeline = ? AND environment = ? AND reset_at IS NULL"
    for environment in environments:
        row = connection.execute(query, (pipeline, environment)).fetchone()
        if row is not None:
            return _breaker(row)
    return None


def read_breaker(connection: sqlite3.Connection, breaker_id: int) -> Breaker:
    """One breaker. Raises NotFound."""
    row = connection.execute("SELECT * FROM breakers WHERE id = ?", (breaker_id,)).fetchone()
    if row is None:
        raise NotFound(
            f"There is no breaker {breaker_id}",
            next_step="List them with: orchestrate-tui breakers",
        )
    return _breaker(row)


def breakers_of(connection: sqlite3.Connection, rollback_id: int) -> tuple[Breaker, ...]:
    """Those that a rollback has tripped and nobody has reset."""
    query = "SELECT * FROM breakers WHERE rollback_id = ? AND reset_at IS NULL ORDER BY id"
    return tuple(map(_breaker, connection.execute(query, (rollback_id,))))


def list_breakers(
    connection: sqlite3.Connection, *, reset: bool = False, limit: int = 50
) -> tuple[Breaker, ...]:
    """Breakers, newest first; those that were `reset` only if they are wanted too."""
    rows = connection.execute(
        "SELECT * FROM breakers WHERE ? OR reset_at IS NULL ORDER BY id DESC LIMIT ?",
        (reset, limit),
    )
    return tuple(map(_breaker, rows))


def reset(
    connection: sqlite3.Connection, breaker_id: int, actor: str, reason: str, at: datetime
) -> Breaker:
    """Let new runs go there again; returns what was reset.

    Raises NotFound, or Refused when somebody did before: the message says who and when.
    """
    found = read_breaker(connection, breaker_id)
    changed = connection.execute(
        "UPDATE breakers SET reset_by = ?, reset_at = ?, reset_reason = ?,"
        " reset_after = (SELECT coalesce(max(id), 0) FROM rollback_events)"
        " WHERE id = ? AND reset_at IS NULL",
        (actor, to_text(at), reason, breaker_id),
    ).rowcount
    if not changed:
        when = f" at {spoken(found.reset_at)}" if found.reset_at else ""
        raise Refused(f"Breaker {breaker_id} was reset by {found.reset_by}{when}")
    record(
        connection, found.run_id, to_text(at), "breaker", rollback_id=found.rollback_id,
        from_status="tripped", to_status="reset", actor=actor, detail=reason,
    )  # fmt: skip
    return found


def _breaker(row: sqlite3.Row) -> Breaker:
    return Breaker(
        id=row["id"],
        pipeline=row["pipeline"],
        environment=row["environment"],
        rollbacks=row["rollbacks"],
        run_id=row["run_id"],
        rollback_id=row["rollback_id"],
        tripped_at=from_text(row["tripped_at"]),
        reset_by=row["reset_by"],
        reset_at=moment(row["reset_at"]),
        reset_reason=row["reset_reason"],
    )
