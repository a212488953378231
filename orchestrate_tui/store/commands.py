"""What one process asks of the executor that another one runs."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.errors import NotFound, StaleTransition
from orchestrate_tui.store.record import record
from orchestrate_tui.store.runs import check_run
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import datetime


class CommandKind(StrEnum):
    """What can be asked of a run's owner."""

    APPROVE = "approve"
    """Approve a waiting stage."""
    REJECT = "reject"
    """Reject a waiting stage."""
    CANCEL = "cancel"
    """Stop the run."""
    ROLLBACK = "rollback"
    """Stop the run and roll it back."""
    HALT = "halt"
    """Stop a rollback at its present step."""
    STEP = "step"
    """Decide how a rollback goes on after a step that failed."""


ABOUT_ROLLBACKS = frozenset({CommandKind.HALT, CommandKind.STEP})
"""What is asked of whoever carries a rollback out, which may be another than the run's owner."""


class CommandStatus(StrEnum):
    """What became of a command."""

    PENDING = "pending"
    """The owner has not looked at it yet."""
    DONE = "done"
    """Carried out."""
    REFUSED = "refused"
    """The owner could not, and the outcome says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One request; `outcome` is the sentence that answers it, "" while it is pending."""

    id: int
    idempotency_key: str
    run_id: int
    kind: CommandKind
    payload: Mapping[str, str]
    actor: str
    status: CommandStatus
    outcome: str


def insert_command(
    connection: sqlite3.Connection,
    *,
    idempotency_key: str,
    run_id: int,
    kind: CommandKind,
    payload: Mapping[str, str],
    actor: str,
    at: datetime,
) -> int:
    """Ask something of the owner of a run; the same key again asks nothing new.

    Returns the id of the command. Raises NotFound for an unknown run.
    """
    check_run(connection, run_id)
    connection.execute(
        "INSERT INTO commands (idempotency_key, run_id, kind, payload, actor, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (idempotency_key) DO NOTHING",
        (idempotency_key, run_id, kind, json.dumps(payload), actor, to_text(at)),
    )
    query = "SELECT id FROM commands WHERE idempotency_key = ?"
    (command_id,) = connection.execute(query, (idempotency_key,)).fetchone()
    return int(command_id)


def waiting_commands(connection: sqlite3.Connection, run_id: int) -> tuple[Command, ...]:
    """What is asked of the owner of a run and not answered yet, oldest first."""
    query = "SELECT * FROM commands WHERE run_id = ? AND status = 'pending' ORDER BY id"
    return tuple(_command_of(row) for row in connection.execute(query, (run_id,)))


def read_command(connection: sqlite3.Connection, command_id: int) -> Command:
    """One command. Raises NotFound."""
    row = connection.execute("SELECT * FROM commands WHERE id = ?", (command_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no command {command_id}")
    return _command_of(row)


def find_command(connection: sqlite3.Connection, idempotency_key: str) -> Command | None:
    """The command that was asked with a key; None when there is none."""
    query = "SELECT * FROM commands WHERE idempotency_key = ?"
    row = connection.execute(query, (idempotency_key,)).fetchone()
    return None if row is None else _command_of(row)


def answer_command(
    connection: sqlite3.Connection,
    command: Command,
    status: CommandStatus,
    outcome: str,
    at: datetime,
) -> None:
    """Record what became of a command as it was read, in the transaction that carries it out.

    Raises StaleTransition when it was answered before, or since.
    """
    if command.status is CommandStatus.DONE:
        raise _answered(command)
    moment = to_text(at)
    answered = connection.execute(
        "UPDATE commands SET status = ?, outcome = ?, completed_at = ? WHERE id = ? AND status = ?",
        (status, outcome, moment, command.id, command.status),
    ).rowcount
    if not answered:
        raise _answered(command)
    record(
        connection, command.run_id, moment, "command", to_status=status, actor=command.actor,
        detail=f"{command.kind}: {outcome}",
    )  # fmt: skip


def _answered(command: Command) -> StaleTransition:
    return StaleTransition(f"Command {command.id} was answered before")


def _command_of(row: sqlite3.Row) -> Command:
    return Command(
        id=row["id"],
        idempotency_key=row["idempotency_key"],
        run_id=row["run_id"],
        kind=CommandKind(row["kind"]),
        payload=json.loads(row["payload"]),
        actor=row["actor"],
        status=CommandStatus(row["status"]),
        outcome=row["outcome"],
    )
