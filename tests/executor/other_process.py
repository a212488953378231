"""An executor in a process of its own: `python -m tests.executor.other_process DB FOLDER WHAT …`.

It writes a line to standard output after everything that it committed, and one with its result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import anyio

from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.hub import Change, Hub
from orchestrate_tui.store.definitions import decode_pipeline


class Telling(Hub):
    """Says on standard output that something was committed."""

    def publish(self, changes: Iterable[Change]) -> None:
        super().publish(changes)
        print("committed", flush=True)  # noqa: T201


async def work(*called_with: str) -> object:
    database, folder, what, *arguments = called_with
    async with PipelineExecutor(database, hub=Telling()) as executor:
        match [what, *arguments]:
            case ["execute", body]:
                run_id = await executor.create_run(decode_pipeline(body), workdir=Path(folder))
                return (await executor.execute_run(run_id)).status
            case ["resume", resumed]:
                return (await executor.resume_run(int(resumed))).status
            case ["waiting", run, *stages]:
                event = await executor.trigger_rollback(int(run), *stages, waits=True)
                return event.status
            case ["decide", rollback, action, reason]:
                decided = StepAction(action)
                return await executor.decide_step(int(rollback), decided, reason=reason)
            case ["rollback", run, *stages]:
                event = await executor.trigger_rollback(int(run), *stages)
                return event.status
            case _:
                raise ValueError(what)


if __name__ == "__main__":
    try:
        result = anyio.run(work, *sys.argv[1:])
    except OrchestrateError as error:
        result = f"{type(error).__name__}: {error}"
    print(f"result {result}", flush=True)  # noqa: T201
