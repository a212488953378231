"""How rollbacks stand that have not ended, and what became of the others."""

from __future__ import annotations

import os
import shlex
import sys

from orchestrate_tui.cli.places import database_option
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.domain.events import RollbackEvent, failed_steps
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, RollbackStatus
from orchestrate_tui.store.history import History


def unended_rollbacks(history: History, run_id: int) -> tuple[int, ...]:
    """The ids of the rollbacks of a run that have not ended."""
    events = history.rollbacks(run_id, limit=1000)
    return tuple(event.id for event in events if event.id and event.status not in ENDED_ROLLBACKS)


def say_outcome(history: History, event: RollbackEvent) -> None:
    """Print what became of a rollback, and to stderr what is to be done about one that failed."""
    because = f": {event.error_message}" if event.error_message else ""
    say(f"Rollback {event.id} of run {event.run_id} {event.status}{because}")
    if event.status is not RollbackStatus.FAILED:
        return
    option = database_option(history.files.database)
    for step in failed_steps(history.steps(event.id or 0)):
        log = history.undo_log_path(event.run_id, event.id or 0, step.part, step.attempt)
        if not os.access(log, os.R_OK):  # it came to no undo
            continue
        where = f"{event.run_id} {shlex.quote(step.part)} --rollback {event.id}{option}"
        say(f"What the undo of {step.part} wrote: orchestrate-tui logs {where}", to=sys.stderr)
    say(f"Try again what is left: {event.again}{option}", to=sys.stderr)
