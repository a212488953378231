"""Asks the executor of another process, through the database that both open."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import uuid4

import anyio

from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.commands import (
    CommandKind,
    CommandStatus,
    insert_command,
    read_command,
)
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
    insert = partial(
        insert_command,
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
