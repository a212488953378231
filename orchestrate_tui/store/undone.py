"""What an undo leaves in the record: its stage, the releases, and what may not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.status import STAGE_TRANSITIONS, StageStatus
from orchestrate_tui.errors import NotFound, StaleTransition
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.placing import note_return
from orchestrate_tui.store.quarantines import quarantine
from orchestrate_tui.store.record import record
from orchestrate_tui.store.releases import mark_undone
from orchestrate_tui.store.rollbacks import undone_components

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime


def _has_more(connection: sqlite3.Connection, run_id: int, stage_name: str) -> bool:
    """Whether the stage has components that are not undone."""
    query = "SELECT definition_hash FROM runs WHERE id = ?"
    digest = connection.execute(query, (run_id,)).fetchone()["definition_hash"]
    stage = read_definition(connection, digest).stage(stage_name)
    gone = undone_components(connection, run_id).get(stage_name, frozenset())
    return stage is not None and not gone.issuperset(stage.components)


def mark_rolled_back(
    connection: sqlite3.Connection,
    run_id: int,
    stage_name: str,
    rollback_id: int,
    at: datetime,
    *,
    component: str | None = None,
) -> None:
    """Note on the stage that the rollback has undone it; what became of it before stays known.

    With a `component` only once all of its components are undone.
    Raises NotFound for an unknown stage, StaleTransition for one that has nothing to undo.
    """
    if component is not None:
        note_return(connection, run_id, stage_name, rollback_id, component)
        mark_undone(connection, run_id, stage_name, rollback_id, component)
        quarantine(connection, run_id, stage_name, rollback_id, at, component=component)
        if _has_more(connection, run_id, stage_name):
            return
    query = "SELECT position, status FROM stages WHERE run_id = ? AND stage_name = ?"
    row = connection.execute(query, (run_id, stage_name)).fetchone()
    if row is None:
        raise NotFound(f"Run {run_id} has no stage '{stage_name}'")
    before = StageStatus(row["status"])
    if StageStatus.ROLLED_BACK not in STAGE_TRANSITIONS[before]:
        raise StaleTransition(f"Stage '{stage_name}' is {before} and cannot be rolled back")
    connection.execute(
        "UPDATE stages SET status = 'rolled_back', rolled_back_by = ?"
        " WHERE run_id = ? AND position = ?",
        (rollback_id, run_id, row["position"]),
    )
    mark_undone(connection, run_id, stage_name, rollback_id)
    if component is None:
        note_return(connection, run_id, stage_name, rollback_id)
        quarantine(connection, run_id, stage_name, rollback_id, at)
    record(
        connection, run_id, to_text(at), "stage", stage_name=stage_name, rollback_id=rollback_id,
        from_status=before, to_status=StageStatus.ROLLED_BACK,
        detail=f"undone by rollback {rollback_id}",
    )  # fmt: skip
