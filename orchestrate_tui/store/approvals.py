"""Decisions on approvals; each listed entry is decided at most once."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rows import approval_of

if TYPE_CHECKING:
    import sqlite3

    from orchestrate_tui.domain.run import ApprovalRecord


def insert_approval(connection: sqlite3.Connection, approval: ApprovalRecord) -> None:
    """Record one decision. Raises Refused when its entry was decided before."""
    at = to_text(approval.decided_at)
    kept = connection.execute(
        "INSERT INTO approvals (run_id, stage_name, decision, entry, actor, comment, decided_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, stage_name, entry) DO NOTHING",
        (
            approval.run_id,
            approval.stage_name,
            approval.decision,
            approval.entry,
            approval.actor,
            approval.comment,
            at,
        ),
    ).rowcount
    if not kept:
        raise Refused(
            f"'{approval.entry}' was decided for stage '{approval.stage_name}'"
            f" of run {approval.run_id} before",
            next_step=f"See the decisions with: orchestrate-tui show {approval.run_id}",
        )
    record(
        connection, approval.run_id, at, "approval", stage_name=approval.stage_name,
        to_status=approval.decision, actor=approval.actor,
        detail=f"{approval.entry}: {approval.comment}" if approval.comment else approval.entry,
    )  # fmt: skip


def approvals_of(connection: sqlite3.Connection, run_id: int) -> tuple[ApprovalRecord, ...]:
    """The decisions on a run's stages, oldest first."""
    rows = connection.execute("SELECT * FROM approvals WHERE run_id = ?", (run_id,))
    return tuple(approval_of(row) for row in sorted(rows, key=itemgetter("id")))
