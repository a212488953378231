"""Who may write about a run or a rollback: its owner, and nobody who owned it before.

Ownership is an epoch in the row. Whoever takes over changes it in the transaction in which it
says so, and every write of an owner asks for it in its own; no clock has a part in that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, spoken, to_text
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, ENDED_RUNS, RunStatus, standing
from orchestrate_tui.errors import Fenced, NotFound, StaleTransition
from orchestrate_tui.store.occasions import hand_over
from orchestrate_tui.store.record import record
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3

_INTERRUPTED = frozenset({RunStatus.INTERRUPTED})
_NOT_UNDER_WAY = _INTERRUPTED | ENDED_RUNS

TAKEOVER = "takeover"
"""The kind of event that says who went on with what another executor had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """Who becomes the owner, and why; `is_forced` when the owner before may still live."""

    epoch: int
    actor: str
    reason: str
    at: datetime
    is_forced: bool = False

    @property
    def sentence(self) -> str:
        """Who took over and why, as the reason of what it interrupted."""
        return f"taken over by {self.actor}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One executor: the process that it is, where, whose, and in which boot of the system."""

    epoch: int
    pid: int
    host: str
    actor: str
    started_at: datetime
    boot_id: str

    def __str__(self) -> str:
        return f"{self.actor} (process {self.pid})"


def read_owner(connection: sqlite3.Connection, epoch: int | None) -> Owner | None:
    """The executor of that epoch; None for nobody."""
    row = connection.execute("SELECT * FROM owners WHERE epoch = ?", (epoch,)).fetchone()
    if row is None:
        return None
    return Owner(
        epoch=row["epoch"],
        pid=row["pid"],
        host=row["host"],
        actor=row["actor"],
        started_at=from_text(row["started_at"]),
        boot_id=row["boot_id"],
    )


def check_owner(connection: sqlite3.Connection, run_id: int, epoch: int) -> None:
    """Raise Fenced unless `epoch` owns the run; good until the transaction ends."""
    row = connection.execute("SELECT epoch FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None or row["epoch"] != epoch:
        raise _fenced(connection, f"Run {run_id}", run_id, None)


def check_uninterrupted(connection: sqlite3.Connection, run_id: int, epoch: int) -> None:
    """Raise Fenced unless `epoch` owns the run and nobody has taken that executor for dead.

    Who does so leaves the run without another owner, to whoever resumes it.
    """
    _check_standing(connection, run_id, epoch, _INTERRUPTED)


def check_under_way(connection: sqlite3.Connection, run_id: int, epoch: int) -> None:
    """Raise Fenced unless `epoch` owns the run, which has not ended as far as it is recorded."""
    _check_standing(connection, run_id, epoch, _NOT_UNDER_WAY)


def _check_standing(
    connection: sqlite3.Connection, run_id: int, epoch: int, others: Collection[str]
) -> None:
    query = "SELECT epoch, status, reason FROM runs WHERE id = ?"
    row = connection.execute(query, (run_id,)).fetchone()
    if row is None or row["epoch"] != epoch:
        raise _fenced(connection, f"Run {run_id}", run_id, None)
    if row["status"] in others:
        because = f" ({row['reason']})" if row["reason"] else ""
        raise Fenced(
            f"Run {run_id} {standing(RunStatus(row['status']))}{because}: somebody else has"
            " recorded that",
            next_step=f"This process has let go of it; see it with: orchestrate-tui show {run_id}",
        )


def check_carrier(connection: sqlite3.Connection, rollback_id: int, epoch: int | None) -> None:
    """Raise Fenced unless `epoch` carries the rollback out; good until the transaction ends.

    Raises NotFound for an unknown rollback.
    """
    query = "SELECT run_id, epoch FROM rollback_events WHERE id = ?"
    row = connection.execute(query, (rollback_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no rollback {rollback_id}")
    if row["epoch"] != epoch:
        raise _fenced(connection, f"Rollback {rollback_id}", row["run_id"], rollback_id)


def check_carried(connection: sqlite3.Connection, rollback_id: int, epoch: int) -> None:
    """Raise Fenced unless `epoch` carries the rollback out, which has not ended as recorded."""
    check_carrier(connection, rollback_id, epoch)
    query = "SELECT status FROM rollback_events WHERE id = ?"
    (status,) = connection.execute(query, (rollback_id,)).fetchone()
    if status in ENDED_ROLLBACKS:
        raise Fenced(
            f"Rollback {rollback_id} {status}: somebody else has recorded that",
            next_step="This process has let go of it; see it with: orchestrate-tui rollbacks",
        )


def belongs_to_another(connection: sqlite3.Connection, run_id: int, epoch: int) -> bool:
    """Whether another executor than `epoch` works on the run, or carries out a rollback of it."""
    query = """
        SELECT EXISTS (SELECT 1 FROM runs
                WHERE id = :run AND epoch IS NOT :mine AND status IN ('pending', 'running'))
            OR EXISTS (SELECT 1 FROM rollback_events
                WHERE run_id = :run AND epoch IS NOT :mine AND status IN ('pending', 'running'))
    """
    return bool(connection.execute(query, {"run": run_id, "mine": epoch}).fetchone()[0])


def take_over(
    connection: sqlite3.Connection,
    run_id: int,
    *,
    seen: int | None,
    status: RunStatus,
    takeover: Takeover,
) -> None:
    """Become the owner of a run that was in `status` and whose owner was `seen`.

    Raises StaleTransition, which says who, when somebody else took it over in between.
    """
    changed = connection.execute(
        "UPDATE runs SET epoch = ? WHERE id = ? AND epoch IS ? AND status = ?",
        (takeover.epoch, run_id, seen, status),
    ).rowcount
    if not changed:
        raise _taken(connection, run_id, seen)
    if seen != takeover.epoch:
        hand_over(connection, run_id, seen, takeover.epoch)
        _record(connection, run_id, None, takeover)


def check_untaken(
    connection: sqlite3.Connection, run_id: int, *, seen: int | None, status: RunStatus
) -> None:
    """Raise StaleTransition, which says who, unless `seen` still owns the run, in `status`."""
    row = connection.execute("SELECT epoch, status FROM runs WHERE id = ?", (run_id,)).fetchone()
    if tuple(row) != (seen, status):
        raise _taken(connection, run_id, seen)


def _taken(connection: sqlite3.Connection, run_id: int, seen: int | None) -> StaleTransition:
    return StaleTransition(
        _what_became_of(connection, run_id, seen),
        next_step=f"See it with: orchestrate-tui show {run_id}",
    )


def _what_became_of(connection: sqlite3.Connection, run_id: int, seen: int | None) -> str:
    query = "SELECT epoch, status, reason FROM runs WHERE id = ?"
    row = connection.execute(query, (run_id,)).fetchone()
    if row is not None and row["epoch"] == seen:
        because = f" ({row['reason']})" if row["reason"] else ""
        return f"Run {run_id} {standing(RunStatus(row['status']))} by now{because}"
    return f"Run {run_id} was taken over {_by(connection, run_id, None)}"


def take_over_rollback(
    connection: sqlite3.Connection,
    run_id: int,
    rollback_id: int,
    *,
    seen: int | None,
    takeover: Takeover,
) -> None:
    """Become the one who carries a rollback out that `seen` carried out, if it has not ended.

    Raises StaleTransition, which says who, when somebody else did in between.
    """
    changed = connection.execute(
        "UPDATE rollback_events SET epoch = ?"
        " WHERE id = ? AND epoch IS ? AND status IN ('pending', 'running')",
        (takeover.epoch, rollback_id, seen),
    ).rowcount
    if not changed:
        by = _by(connection, run_id, rollback_id)
        raise StaleTransition(f"Rollback {rollback_id} has ended, or was taken over {by}")
    if seen != takeover.epoch:
        hand_over(connection, run_id, seen, takeover.epoch)
        _record(connection, run_id, rollback_id, takeover)


def release(connection: sqlite3.Connection, run_id: int, epoch: int) -> None:
    """Leave an interrupted run, and what has not ended of its rollbacks, to whoever takes it.

    Does nothing about what another executor owns.
    """
    mine = (run_id, epoch)
    connection.execute(
        "UPDATE runs SET epoch = NULL WHERE id = ? AND epoch = ? AND status = 'interrupted'", mine
    )
    connection.execute(
        "UPDATE rollback_events SET epoch = NULL"
        " WHERE run_id = ? AND epoch = ? AND status IN ('pending', 'running')",
        mine,
    )


def _record(
    connection: sqlite3.Connection, run_id: int, rollback_id: int | None, takeover: Takeover
) -> None:
    record(
        connection, run_id, to_text(takeover.at), TAKEOVER, rollback_id=rollback_id,
        actor=takeover.actor, detail=takeover.reason,
    )  # fmt: skip


def _fenced(
    connection: sqlite3.Connection, what: str, run_id: int, rollback_id: int | None
) -> Fenced:
    by = _by(connection, run_id, rollback_id)
    return Fenced(f"{what} was taken over {by}", next_step="This process has let go of it")


def _by(connection: sqlite3.Connection, run_id: int, rollback_id: int | None) -> str:
    """Who took something over last, when and why, as far as it is known."""
    query = """
        SELECT actor, at, detail FROM events
        WHERE run_id = ? AND kind = ? AND rollback_id IS ? ORDER BY id DESC LIMIT 1
    """
    row = connection.execute(query, (run_id, TAKEOVER, rollback_id)).fetchone()
    if row is None:
        return "by another executor"
    return f"by {row['actor']} at {spoken(from_text(row['at']))}: {row['detail']}"
