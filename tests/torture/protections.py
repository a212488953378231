"""Protections of the product that a process of an attack's control goes without."""

from __future__ import annotations

import time
from asyncio import BaseEventLoop
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrate_tui.domain.events import RollbackStep
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.status import StepStatus
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import StaleTransition
from orchestrate_tui.executor import (
    demand,
    left_work,
    rollback,
    taking_over,
    taking_up,
)
from orchestrate_tui.executor import environments as keeping_apart
from orchestrate_tui.executor.operator_desk import OperatorDesk
from orchestrate_tui.executor.room import Room
from orchestrate_tui.store import breakers, environments, recovery, rollback_steps
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.record import record
from orchestrate_tui.store.writer import Writer

_cases: dict[int, Any] = {}
_change_step = rollback_steps.change_step


def _take_any(
    desk: OperatorDesk, decision: StepDecision
) -> tuple[RollbackStep, Callable[[], None]]:
    """Take a decision, whatever was decided before."""
    for case in desk._cases.values():
        _cases[id(desk)] = case
    case = _cases[id(desk)]
    case.decision = decision
    return case.step, case.settled.set


def _change_any(
    connection: Connection,
    run_id: int,
    step: RollbackStep,
    status: StepStatus,
    at: datetime,
    **more: Any,
) -> None:
    """Change a step, whatever it has become."""
    try:
        _change_step(connection, run_id, step, status, at, **more)
    except StaleTransition:
        record(
            connection, run_id, to_text(at), "step", rollback_id=step.rollback_id,
            from_status=step.status, to_status=status, detail=more["error_message"],
        )  # fmt: skip


async def _leave_them(*_: object) -> int:
    return 0


def _nobody(*_: object, **__: object) -> None:
    """Find nobody, and do nothing."""


_submit = Writer.submit


def _submit_in_haste(writer: Writer, change: Any, *, is_patient: bool = False) -> Any:
    """Have a change committed, or not if there is no room."""
    del is_patient
    return _submit(writer, change)


async def _start_at_once(_: Room, start: Callable[[], Awaitable[Any]]) -> Any:
    """Start something, room or not."""
    return await start()


async def _wait_for_nothing(_: Room) -> None:
    """Take it for granted that there is room."""


def _has_written_lately(files: StoreFiles, _: int | None) -> bool:
    """Take for dead whose database has not changed for a minute, by the clock of days."""
    return time.time() - Path(f"{files.database}-wal").stat().st_mtime < 60


_NEWER_BY_CLOCK = """
    SELECT release.* FROM runs
        JOIN releases AS release ON release.pipeline = runs.pipeline AND release.run_id <> runs.id
        JOIN stages ON stages.run_id = release.run_id AND stages.stage_name = release.stage_name
    WHERE runs.id = :run AND release.undone_by IS NULL AND stages.started_at > (
        SELECT max(started_at) FROM stages AS own
        WHERE own.run_id = :run AND own.environment = release.environment)
"""


_COUNT_BY_CLOCK = breakers._COUNT.replace(
    "event.id > coalesce((\n            SELECT max(reset_after)",
    "(SELECT created_at FROM rollback_events AS own WHERE own.id = event.id) > coalesce((\n"
    "            SELECT max(reset_at)",
)
_HOUR_BY_CLOCK = breakers._COUNT.replace("boot_id = :boot AND", "false AND").replace(
    "(boot_id <> :boot OR boot_id = '')", "true"
)

WITHOUT: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "asking": ((left_work.Survey, "_is_repeatable", lambda *_: True),),
    "ending": ((taking_over, "end_leftovers", _leave_them),),
    "one decision": (
        (OperatorDesk, "take", _take_any),
        (rollback_steps, "change_step", _change_any),
    ),
    "holders": tuple(
        (place, "holder_of", _nobody)
        for place in (environments, keeping_apart, demand, rollback, taking_up)
    ),
    "programs that go on": ((environments, "_goes_on", lambda *_: False),),
    "tripping": ((rollback, "trip", _nobody),),
    "locks of owners": (
        (recovery, "is_alive", _has_written_lately),
        (recovery, "works_here", _nobody),
    ),
    "order of rollbacks": ((breakers, "_COUNT", _COUNT_BY_CLOCK),),
    "order of the record": ((environments, "_NEWER", _NEWER_BY_CLOCK),),
    "steady hours": ((breakers, "_COUNT", _HOUR_BY_CLOCK),),
    "steady timers": ((BaseEventLoop, "time", lambda _: time.time()),),
    "patience": ((Writer, "submit", _submit_in_haste),),
    "room": ((Room, "start", _start_at_once), (Room, "wait", _wait_for_nothing)),
    "refusing": ((breakers, "find_breaker", _nobody),),
}
"""What stands in the place of each of them."""
