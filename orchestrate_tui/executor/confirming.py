"""Whether what another account asks in a protected environment was confirmed by its name.

Their console and their commands ask for it, too. But which environments of this machine are
protected says the owner's configuration, which others cannot read.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestrate_tui.domain.protection import confirmation, protected_environments
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.errors import Unconfirmed
from orchestrate_tui.executor.errands import (
    AnyErrand,
    Cancel,
    Decide,
    Halt,
    Reject,
    Rollback,
    Rule,
)
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.breakers import read_breaker
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.history import read_run
from orchestrate_tui.store.quarantines import read_quarantine


def check_confirmed(connection: Connection, errand: AnyErrand, configured: Collection[str]) -> None:
    """Raise Unconfirmed where something grave is asked and the names were not typed.

    `configured` are the environments that are protected whatever a pipeline says.
    """
    run_id = _grave_for(connection, errand)
    if run_id is None:
        return
    run = read_run(connection, run_id)
    pipeline = read_definition(connection, run.definition_hash)
    touched = () if run.simulated else protected_environments(pipeline, configured)
    if not frozenset(touched) <= frozenset(errand.confirmed):
        raise Unconfirmed(
            f"Run {run_id} touches a protected environment",
            next_step=f"Confirm that with --confirm '{confirmation(touched)}'",
            environments=touched,
        )


def _grave_for(connection: Connection, errand: AnyErrand) -> int | None:
    """The run for which something grave is asked; None when it is not grave."""
    match errand:
        case Reject(run=run) | Cancel(run=run) | Rollback(run=run):
            return run
        case Decide(rollback=rollback) | Halt(rollback=rollback):
            return rollbacks.read(connection, rollback).run_id
        case Rule(ruling=Ruling.LIFT, subject=subject):
            return read_quarantine(connection, subject).run_id
        case Rule(ruling=Ruling.RESET, subject=subject):
            return read_breaker(connection, subject).run_id
        case _:
            return None
