"""Looks for what other processes ask of a run that this one works on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio

from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.commands import (
    Command,
    CommandStatus,
    answer_command,
    waiting_commands,
)
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import belongs_to_another
from orchestrate_tui.store.reading import data_version

POLL_INTERVAL_S = 0.05


async def watch(
    executor: ExecutorContext,
    run_id: int,
    handle: Callable[[Command], None],
    check: Callable[[Connection], None],
) -> None:
    """Call `handle` with every new command for the run, until cancelled.

    A poll costs a few microseconds: it only asks whether another connection has committed. When
    one has, `check` looks whether the work is still this executor's, and raises Fenced if not.
    It also looks for room for logs, as the programs that write them tell nobody when there is none,
    and that the locks that say that this executor lives are those which others find.
    """
    seen = 0
    version = -1
    while True:
        executor.room.look()
        executor.ownership.keep()
        latest = executor.database.read(data_version)
        if latest != version:
            version = latest
            executor.database.read(check)
            for command in executor.database.read(partial(waiting_commands, run_id=run_id)):
                if command.id > seen:
                    seen = command.id
                    handle(command)
        await anyio.sleep(POLL_INTERVAL_S)


async def refuse_commands(executor: ExecutorContext, run_id: int, outcome: str) -> None:
    """Answer what was asked and not seen before the work on the run ended.

    What is asked of another executor, which has taken the run up since, is left to it.
    """
    if not executor.database.read(partial(waiting_commands, run_id=run_id)):
        return

    def refuse(connection: Connection) -> None:
        if not belongs_to_another(connection, run_id, executor.epoch):
            refuse_waiting(connection, run_id, outcome, executor)

    await executor.commit(refuse)


def refuse_waiting(
    connection: Connection, run_id: int, outcome: str, executor: ExecutorContext
) -> None:
    """Refuse, within a transaction, every command for the run that is not answered."""
    for command in waiting_commands(connection, run_id):
        answer_command(connection, command, CommandStatus.REFUSED, outcome, executor.clock())
