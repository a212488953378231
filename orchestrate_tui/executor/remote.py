"""Asks the executor of another process, through the database that both open."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import uuid4

import anyio

from orchestrate_tui.domain.status import ENDED_ROLLBACKS, ENDED_RUNS
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.commands import (
    CommandKind,
    CommandStatus,
    insert_command,
    read_command,
)
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.history import read_run
from orchestrate_tui.store.owners import is_alive

POLL_INTERVAL_S = 0.02


async def ask_owner(
    executor: ExecutorContext,
    *,
    run_id: int,
    owner: int,
    kind: CommandKind,
    payload: Mapping[str, str],
    actor: str,
) -> str:
    """Ask the owner of a run and wait for its answer.

    Raises Refused with its reason, or when it died before it answered.
    """

    def insert(connection: Connection) -> int:
        _check_under_way(connection, run_id, kind, payload)
        return insert_command(
            connection,
            idempotency_key=uuid4().hex,
            run_id=run_id,
            kind=kind,
            payload=payload,
            actor=actor,
            at=executor.clock(),
        )

    command_id = await executor.commit(insert)
    while True:
        lives = is_alive(executor.database.files, owner)
        command = executor.database.read(partial(read_command, command_id=command_id))
        if command.status is CommandStatus.DONE:
            return command.outcome
        if command.status is CommandStatus.REFUSED:
            raise Refused(command.outcome)
        if not lives:
            raise Refused(
                f"The executor of run {run_id} ended before it answered",
                next_step=f"See what became of it: orchestrate-tui show {run_id}",
            )
        await anyio.sleep(POLL_INTERVAL_S)


def _check_under_way(
    connection: Connection, run_id: int, kind: CommandKind, payload: Mapping[str, str]
) -> None:
    """Raise Refused when what is asked about has ended: nobody would answer any more."""
    if kind is CommandKind.HALT:
        event = rollbacks.read(connection, int(payload["rollback"]))
        if event.status in ENDED_ROLLBACKS:
            raise Refused(f"Rollback {event.id} has ended: it {event.status}")
    elif (run := read_run(connection, run_id)).status in ENDED_RUNS:
        raise Refused(f"Run {run_id} has ended: it is {run.status}")
