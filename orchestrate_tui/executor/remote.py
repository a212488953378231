"""Asks the executor of another process, through the database that both open."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import uuid4

import anyio

from orchestrate_tui.domain.status import ENDED_ROLLBACKS, ENDED_RUNS
from orchestrate_tui.errors import Fenced, Refused, StalePlan
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.requests import has_ended, rollback_has_ended
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.attendance import named
from orchestrate_tui.store.commands import (
    ABOUT_ROLLBACKS,
    CommandKind,
    CommandStatus,
    find_command,
    insert_command,
    read_command,
)
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import check_carrier, check_owner, read_owner
from orchestrate_tui.store.history import read_run
from orchestrate_tui.store.owners import is_alive

SAID_DIRECTLY = frozenset(
    {CommandKind.APPROVE, CommandKind.REJECT, CommandKind.CANCEL, CommandKind.HALT}
)
"""What an owner is told through its socket when there is no room to leave it in the database."""

POLL_INTERVAL_S = 0.02
PATIENCE_S = 15.0
"""How long an executor that lives may keep silent; the asking then ends, the request stays."""


async def ask_owner(
    executor: ExecutorContext,
    *,
    run_id: int,
    owner: int,
    kind: CommandKind,
    payload: Mapping[str, str],
    actor: str,
    key: str = "",
) -> str:
    """Ask the owner of a run and wait for its answer; the same key again asks nothing new.

    Raises Refused with its reason, when it died before it answered, or when it keeps silent, and
    NoRoom when nothing can be left for it.
    """

    def insert(connection: Connection) -> int:
        if key and (asked := find_command(connection, key)):
            return asked.id
        _check_under_way(connection, run_id, kind, payload)
        _check_still_owner(connection, run_id, owner, kind, payload)
        return insert_command(
            connection,
            idempotency_key=key or uuid4().hex,
            run_id=run_id,
            kind=kind,
            payload=payload,
            actor=actor,
            at=executor.clock(),
        )

    command_id = await executor.commit(insert, Change(run_id=run_id), is_patient=False)
    for _ in range(round(PATIENCE_S / POLL_INTERVAL_S)):
        lives = is_alive(executor.database.files, owner)
        command = executor.database.read(partial(read_command, command_id=command_id))
        if command.status is CommandStatus.DONE:
            return command.outcome
        if command.status is CommandStatus.REFUSED:
            raise _refusal(command.outcome)
        if not lives:
            raise Refused(
                f"The executor of run {run_id} ended before it answered",
                next_step=f"See what became of it: orchestrate-tui show {run_id}",
            )
        await anyio.sleep(POLL_INTERVAL_S)
    known = executor.database.read(partial(read_owner, epoch=owner))
    who = named(executor.database.files, known)
    raise Refused(
        f"The executor of run {run_id}, that of {who}, has not answered; it will when it goes on",
        next_step="If it hangs, take the run over with:"
        f" orchestrate-tui resume {run_id} --take-over --reason TEXT",
    )


def _refusal(outcome: str) -> Refused:
    """The refusal of the owner, of which only the sentence comes through the database."""
    stale = StalePlan()
    return stale if outcome == str(stale) else Refused(outcome)


def _check_still_owner(
    connection: Connection,
    run_id: int,
    owner: int,
    kind: CommandKind,
    payload: Mapping[str, str],
) -> None:
    """Raise Refused when another executor took over what is asked about."""
    try:
        if kind in ABOUT_ROLLBACKS:
            check_carrier(connection, int(payload["rollback"]), owner)
        else:
            check_owner(connection, run_id, owner)
    except Fenced as fenced:
        raise Refused(fenced.message, next_step="Ask again") from fenced


def _check_under_way(
    connection: Connection, run_id: int, kind: CommandKind, payload: Mapping[str, str]
) -> None:
    """Raise Refused when what is asked about has ended: nobody would answer any more."""
    if kind in ABOUT_ROLLBACKS:
        event = rollbacks.read(connection, int(payload["rollback"]))
        if event.status in ENDED_ROLLBACKS:
            raise rollback_has_ended(event)
    elif (run := read_run(connection, run_id)).status in ENDED_RUNS:
        raise has_ended(run)
