"""That somebody has seen how a run went wrong, and sees to it: once for each outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import from_text, spoken, to_text
from orchestrate_tui.domain.status import ACKNOWLEDGEABLE, RunStatus, standing
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.occasions import settle
from orchestrate_tui.store.record import record
from orchestrate_tui.store.runs import unknown_run

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime


def acknowledge(
    connection: sqlite3.Connection, run_id: int, actor: str, comment: str, at: datetime
) -> None:
    """Note who has seen that a run failed or is interrupted; a run that goes on loses the note.

    Nobody else is told of it any more, nor of what else of the run waits for somebody to see it.
    Raises NotFound for an unknown run, and Refused when there is nothing to acknowledge, or
    somebody has: the message says who and when.
    """
    moment = to_text(at)
    noted = connection.execute(
        "UPDATE runs SET acknowledged_by = ?, acknowledged_at = ?, acknowledgement = ?"
        " WHERE id = ? AND status IN ('failed', 'interrupted') AND acknowledged_by IS NULL",
        (actor, moment, comment, run_id),
    ).rowcount
    settled = settle(connection, run_id, f"acknowledged by {actor}", moment)
    if not noted and not settled:
        raise _refusal(connection, run_id)
    record(connection, run_id, moment, "acknowledgement", actor=actor, detail=comment)


def _refusal(connection: sqlite3.Connection, run_id: int) -> Refused:
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise unknown_run(run_id)
    if row["status"] not in ACKNOWLEDGEABLE:
        how = standing(RunStatus(row["status"]))
        return Refused(f"Run {run_id} {how}: there is nothing to acknowledge")
    when = spoken(from_text(row["acknowledged_at"]))
    return Refused(f"Run {run_id} was acknowledged by {row['acknowledged_by']} at {when}")
