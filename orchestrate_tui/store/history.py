"""The read side: what happened, newest first, in pages that cost the same at any depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.errors import NotFound
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.approvals import approvals_of
from orchestrate_tui.store.connection import connect_reader
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.migrator import is_current
from orchestrate_tui.store.recovery import as_it_stands, stage_as_it_stands
from orchestrate_tui.store.rows import event_of, run_of, stage_of, step_of
from orchestrate_tui.store.runs import unknown_run

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime
    from pathlib import Path

    from orchestrate_tui.domain.events import Event, RollbackEvent, RollbackStep
    from orchestrate_tui.domain.pipeline import Pipeline
    from orchestrate_tui.domain.run import ApprovalRecord, Run, StageRun
    from orchestrate_tui.domain.status import RunStatus

_SINCE = """
    id >= coalesce((SELECT id FROM runs WHERE created_at >= ? ORDER BY created_at LIMIT 1),
                   (SELECT max(id) + 1 FROM runs))
"""


class History:
    """Reads a database through a connection that cannot write; it belongs to one thread."""

    def __init__(self, path: Path) -> None:
        self.files = StoreFiles(path)
        if not path.exists():
            raise NotFound(
                f"There is no database {path}",
                next_step="Run a pipeline first, or name another one with --db",
            )
        self._connection = connect_reader(path)
        is_current(self._connection, path)

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()

    def runs(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        pipeline: str | None = None,
        status: RunStatus | None = None,
        since: datetime | None = None,
    ) -> tuple[Run, ...]:
        """Runs, newest first; None does not narrow. `before` is the id to go on from."""
        given: dict[str, str | int | None] = {
            "id < ?": before,
            "pipeline = ?": pipeline,
            "status = ?": status,
            _SINCE: to_text(since) if since else None,
        }
        clauses = {clause: value for clause, value in given.items() if value is not None}
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        query = f"SELECT * FROM runs {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
        rows = self._connection.execute(query, (*clauses.values(), limit))
        return tuple(as_it_stands(run_of(row), self.files) for row in rows)

    def run(self, run_id: int) -> Run:
        """One run. Raises NotFound."""
        return as_it_stands(read_run(self._connection, run_id), self.files)

    def stages(self, run_id: int) -> tuple[StageRun, ...]:
        """The stages of a run, in the order of its file. Raises NotFound."""
        run = self.run(run_id)
        stages = stages_of(self._connection, run_id)
        return tuple(stage_as_it_stands(stage, run) for stage in stages)

    def definition(self, run_id: int) -> Pipeline:
        """The pipeline as it was when the run was created. Raises NotFound."""
        return read_definition(self._connection, self.run(run_id).definition_hash)

    def outputs(self, run_id: int) -> dict[tuple[str, str], str]:
        """What the stages of a run put out: (stage, key) to value."""
        return outputs_of(self._connection, run_id)

    def approvals(self, run_id: int) -> tuple[ApprovalRecord, ...]:
        """The decisions on a run's stages, oldest first."""
        return approvals_of(self._connection, run_id)

    def rollbacks(
        self, run_id: int | None = None, *, before: int | None = None, limit: int = 50
    ) -> tuple[RollbackEvent, ...]:
        """Rollbacks, newest first, of one run or (None) of all."""
        return rollbacks.list_events(self._connection, run_id, before=before, limit=limit)

    def rollback(self, rollback_id: int) -> RollbackEvent:
        """One rollback. Raises NotFound."""
        return rollbacks.read(self._connection, rollback_id)

    def steps(self, rollback_id: int) -> tuple[RollbackStep, ...]:
        """The steps of a rollback, in their order."""
        return steps_of(self._connection, rollback_id)

    def events(self, run_id: int, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """The events of one run after an id, oldest first."""
        query = "SELECT * FROM events WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?"
        rows = self._connection.execute(query, (run_id, after, limit))
        return tuple(event_of(row) for row in rows)

    def events_after(self, event_id: int, *, limit: int = 1000) -> tuple[Event, ...]:
        """The events of all runs after an id, oldest first."""
        query = "SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?"
        return tuple(event_of(row) for row in self._connection.execute(query, (event_id, limit)))

    def last_event_id(self) -> int:
        """The id of the newest event; 0 when there is none."""
        query = "SELECT coalesce(max(id), 0) FROM events"
        return int(self._connection.execute(query).fetchone()[0])

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return data_version(self._connection)

    def log_path(self, run_id: int, stage_name: str, attempt: int) -> Path:
        """Where the log of an attempt lies; it may not exist."""
        return self.files.log(run_id, stage_name, attempt)

    def undo_log_path(self, run_id: int, rollback_id: int, stage_name: str, attempt: int) -> Path:
        """Where the log of an attempt of an undo lies; it may not exist."""
        return self.files.undo_log(run_id, rollback_id, stage_name, attempt)


def steps_of(connection: sqlite3.Connection, rollback_id: int) -> tuple[RollbackStep, ...]:
    """The steps of a rollback, in their order."""
    query = "SELECT * FROM rollback_steps WHERE rollback_id = ? ORDER BY position"
    return tuple(step_of(row) for row in connection.execute(query, (rollback_id,)))


def read_run(connection: sqlite3.Connection, run_id: int) -> Run:
    """One run, as its row says. Raises NotFound."""
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise unknown_run(run_id)
    return run_of(row)


def stages_of(connection: sqlite3.Connection, run_id: int) -> tuple[StageRun, ...]:
    """The stages of a run as their rows say, in the order of its file."""
    query = "SELECT * FROM stages WHERE run_id = ? ORDER BY position"
    return tuple(stage_of(row) for row in connection.execute(query, (run_id,)))


def outputs_of(connection: sqlite3.Connection, run_id: int) -> dict[tuple[str, str], str]:
    """What the stages of a run put out: (stage, key) to value."""
    query = "SELECT stage_name, key, value FROM outputs WHERE run_id = ?"
    rows = connection.execute(query, (run_id,))
    return {(row["stage_name"], row["key"]): row["value"] for row in rows}


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
