"""Looks for what other processes ask of a run that this one works on."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.commands import Command, waiting_commands
from orchestrate_tui.store.history import data_version

POLL_INTERVAL_S = 0.05


async def watch(executor: ExecutorContext, run_id: int, handle: Callable[[Command], None]) -> None:
    """Call `handle` with every new command for the run, until cancelled.

    A poll costs a few microseconds: it only asks whether another connection has committed.
    """
    seen = 0
    version = -1
    while True:
        latest = executor.database.read(data_version)
        if latest != version:
            version = latest
            waiting = executor.database.read(lambda reader: waiting_commands(reader, run_id))
            for command in waiting:
                if command.id > seen:
                    seen = command.id
                    handle(command)
        await anyio.sleep(POLL_INTERVAL_S)
