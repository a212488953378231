"""The read side: what happened, and how it stands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from orchestrate_tui.domain.status import ENDED_ROLLBACKS, RollbackStatus
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.approvals import approvals_of
from orchestrate_tui.store.connection import SENSELESS, cannot_read
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.readable import check_current, check_present
from orchestrate_tui.store.reading import Reader
from orchestrate_tui.store.recovery import (
    left_by,
    lost_owners,
    rollback_as_it_stands,
    stage_as_it_stands,
    step_as_it_stands,
)
from orchestrate_tui.store.rows import STAGE_COLUMNS, as_list, event_of, run_of, stage_of, step_of
from orchestrate_tui.store.run_pages import narrow, newest_runs
from orchestrate_tui.store.runs import unknown_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection
    from datetime import datetime
    from pathlib import Path

    from orchestrate_tui.domain.events import Event, RollbackEvent, RollbackStep
    from orchestrate_tui.domain.notification import Notification
    from orchestrate_tui.domain.pipeline import Pipeline
    from orchestrate_tui.domain.release import Quarantine, Release
    from orchestrate_tui.domain.run import ApprovalRecord, Run, StageRun
    from orchestrate_tui.domain.status import RunStatus
    from orchestrate_tui.store.breakers import Breaker

T = TypeVar("T")


class History:
    """Reads a database through a connection that cannot write; it belongs to one thread.

    What an executor left when it died is shown as interrupted, whether or not that was written.
    With `hands_off` no file is opened for writing even where this user may write; the process
    must then not open a Database on it. Every method raises StoreError when the database can no
    longer be read. What only few of them need they load by themselves.
    """

    def __init__(self, path: Path, *, hands_off: bool = False) -> None:
        self.files = StoreFiles(path)
        check_present(self.files)
        check = partial(check_current, files=self.files)
        self._reader = Reader(self.files.database, check, hands_off=hands_off)
        self._held: sqlite3.Connection | None = None

    def again(self) -> History:
        """The same for another thread."""
        return History(self.files.database, hands_off=self._reader.may_not_write)

    def close(self) -> None:
        """Give the connection up."""
        self._reader.close()

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
        narrowing = narrow(before=before, pipeline=pipeline, since=since)
        return self._read(lambda reader: newest_runs(reader, self.files, status, narrowing, limit))

    def run(self, run_id: int) -> Run:
        """One run. Raises NotFound."""
        return self._read(lambda reader: run_as_it_stands(reader, run_id, self.files))

    def stages(self, run_id: int, *, only: Collection[str] = ()) -> tuple[StageRun, ...]:
        """The stages of a run, in the order of its file; () means all of them. Raises NotFound."""
        return self.stages_for(self.run(run_id), only=only)

    def stages_for(self, run: Run, *, only: Collection[str] = ()) -> tuple[StageRun, ...]:
        """The same of a run that was read before."""
        stages = self._read(lambda reader: stages_of(reader, run.id, only))
        return tuple(stage_as_it_stands(stage, run) for stage in stages)

    def definition(self, run_id: int) -> Pipeline:
        """The pipeline as it was when the run was created. Raises NotFound."""
        return self.definition_for(self.run(run_id))

    def definition_for(self, run: Run) -> Pipeline:
        """The same of a run that was read before."""
        return self._read(lambda reader: read_definition(reader, run.definition_hash))

    def outputs(self, run_id: int) -> dict[tuple[str, str], str]:
        """What the stages of a run put out: (stage, key) to value."""
        return self._read(lambda reader: outputs_of(reader, run_id))

    def approvals(self, run_id: int) -> tuple[ApprovalRecord, ...]:
        """The decisions on a run's stages, oldest first."""
        return self._read(lambda reader: approvals_of(reader, run_id))

    def notifications(
        self, run_id: int | None = None, *, limit: int = 1000
    ) -> tuple[Notification, ...]:
        """Notifications with their deliveries, newest first, of one run or (None) of all."""
        from orchestrate_tui.store.notifications import list_notifications  # noqa: PLC0415

        return self._read(lambda reader: list_notifications(reader, run_id, limit=limit))

    def rollbacks(
        self, run_id: int | None = None, *, before: int | None = None, limit: int = 50
    ) -> tuple[RollbackEvent, ...]:
        """Rollbacks, newest first, of one run or (None) of all."""
        return self._rollbacks(
            lambda reader: rollbacks.list_events(reader, run_id, before=before, limit=limit)
        )

    def last_rollbacks(self, run_ids: Collection[int]) -> dict[int, RollbackEvent]:
        """The last rollback of each of these runs that was rolled back."""
        found = self._rollbacks(lambda reader: rollbacks.last_events(reader, run_ids))
        return {event.run_id: event for event in found}

    def waiting_rollbacks(self) -> tuple[RollbackEvent, ...]:
        """Those that wait for the operator, newest first."""
        running = RollbackStatus.RUNNING
        events = self._rollbacks(lambda reader: rollbacks.list_events(reader, status=running))
        return tuple(event for event in events if event.waiting_since is not None)

    def rollback(self, rollback_id: int) -> RollbackEvent:
        """One rollback. Raises NotFound."""
        (event,) = self._rollbacks(lambda reader: (rollbacks.read(reader, rollback_id),))
        return event

    def releases(
        self,
        *,
        pipeline: str | None = None,
        environment: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[Release, ...]:
        """Releases with their outputs, newest first; None does not narrow."""
        from orchestrate_tui.store.releases import list_releases  # noqa: PLC0415

        return self._read(
            lambda reader: list_releases(
                reader, pipeline=pipeline, environment=environment, before=before, limit=limit
            )
        )

    def release(self, release_id: int) -> Release:
        """One release. Raises NotFound."""
        from orchestrate_tui.store.releases import read_release  # noqa: PLC0415

        return self._read(lambda reader: read_release(reader, release_id))

    def quarantines(
        self, *, lifted: bool = False, before: int | None = None, limit: int = 50
    ) -> tuple[Quarantine, ...]:
        """Quarantined versions, newest first; with `lifted` those that were let in again too."""
        from orchestrate_tui.store.quarantines import list_quarantines  # noqa: PLC0415

        return self._read(
            lambda reader: list_quarantines(reader, lifted=lifted, before=before, limit=limit)
        )

    def breakers(self, *, reset: bool = False, limit: int = 50) -> tuple[Breaker, ...]:
        """Breakers, newest first; with `reset` those that were reset too."""
        from orchestrate_tui.store.breakers import list_breakers  # noqa: PLC0415

        return self._read(lambda reader: list_breakers(reader, reset=reset, limit=limit))

    def breaker(self, breaker_id: int) -> Breaker:
        """One breaker. Raises NotFound."""
        from orchestrate_tui.store.breakers import read_breaker  # noqa: PLC0415

        return self._read(lambda reader: read_breaker(reader, breaker_id))

    def quarantine(self, quarantine_id: int) -> Quarantine:
        """One quarantine. Raises NotFound."""
        from orchestrate_tui.store.quarantines import read_quarantine  # noqa: PLC0415

        return self._read(lambda reader: read_quarantine(reader, quarantine_id))

    def steps(self, rollback_id: int) -> tuple[RollbackStep, ...]:
        """The steps of a rollback, in their order. Raises NotFound."""
        lost = self._read(lambda reader: lost_owners(reader, self.files))
        steps = self._read(lambda reader: steps_of(reader, rollback_id))
        event = self.rollback(rollback_id)
        return tuple(step_as_it_stands(step, event, lost) for step in steps)

    def undone_components(self, run_id: int) -> dict[str, frozenset[str]]:
        """The components of the stages of a run that rollbacks have undone."""
        return self._read(lambda reader: rollbacks.undone_components(reader, run_id))

    def events(self, run_id: int, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """The events of one run after an id, oldest first."""
        query = "SELECT * FROM events WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?"
        return self._read(
            lambda reader: tuple(map(event_of, reader.execute(query, (run_id, after, limit))))
        )

    def touched(self, after: int, last: int) -> tuple[tuple[int, str | None, int | None], ...]:
        """What the events of all runs after one, up to `last`, are about, each once.

        That is a run, a stage of it (None: the run itself), and a rollback (None: none).
        """
        query = "SELECT run_id, stage_name, rollback_id FROM events WHERE id > ? AND id <= ?"
        return self._read(lambda reader: tuple(dict.fromkeys(plain(reader, query, after, last))))

    def last_event_id(self) -> int:
        """The id of the newest event; 0 when there is none."""
        query = "SELECT coalesce(max(id), 0) FROM events"
        return self._read(lambda reader: int(reader.execute(query).fetchone()[0]))

    def lost_owners(self) -> frozenset[int | None]:
        """The executors that are gone and have left a run or a rollback under way."""
        return self._read(lambda reader: lost_owners(reader, self.files))

    def driven(self) -> dict[int | None, tuple[int, ...]]:
        """The runs under way, and those being rolled back, by the executors that own them."""
        return self._read(driven_runs)

    def query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """What a query of another module finds. Raises what it raised."""
        return self._read(query)

    def together(self, read: Callable[[], T]) -> T:
        """What `read` finds with this history; how the files stand is looked at once for all.

        It may be called again, when what it read did not hold.
        """

        def found(connection: sqlite3.Connection) -> T:
            before, self._held = self._held, connection
            try:
                return read()
            finally:
                self._held = before

        return self._read(found)

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return self._reader.version()

    def log_path(self, run_id: int, stage_name: str, attempt: int) -> Path:
        """Where the log of an attempt lies; it may not exist."""
        return self.files.log(run_id, stage_name, attempt)

    def undo_log_path(self, run_id: int, rollback_id: int, stage_name: str, attempt: int) -> Path:
        """Where the log of an attempt of an undo lies; it may not exist."""
        return self.files.undo_log(run_id, rollback_id, stage_name, attempt)

    def _rollbacks(
        self, read: Callable[[sqlite3.Connection], tuple[RollbackEvent, ...]]
    ) -> tuple[RollbackEvent, ...]:
        """What is read, with what nobody carries out any more shown so.

        It is read again once its executor is known to be gone, which may have ended it before.
        """
        events = self._read(read)
        owners = {event.epoch for event in events if event.status not in ENDED_ROLLBACKS}
        lost = frozenset(epoch for epoch in owners if not is_alive(self.files, epoch))
        if not lost:
            return events
        return tuple(rollback_as_it_stands(event, lost) for event in self._read(read))

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._held is not None:
            return query(self._held)
        try:
            return self._reader.read(query)
        except SENSELESS as error:
            raise cannot_read(self.files.database, error) from error


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


def run_as_it_stands(connection: sqlite3.Connection, run_id: int, files: StoreFiles) -> Run:
    """One run, shown as interrupted when it is under way and its executor is gone.

    Raises NotFound.
    """
    lost = lost_owners(connection, files)
    return left_by(lost, read_run(connection, run_id))


def stages_of(
    connection: sqlite3.Connection, run_id: int, only: Collection[str] = ()
) -> tuple[StageRun, ...]:
    """The stages of a run as their rows say, in the order of its file; () means all of them."""
    if not only:
        return _stages(connection, "run_id = ?", run_id)
    named = "run_id = ? AND stage_name IN (SELECT value FROM json_each(?))"
    return _stages(connection, named, run_id, as_list(only))


def considered_stages(connection: sqlite3.Connection, run_id: int) -> tuple[StageRun, ...]:
    """The stages of a run that are not pending any more, in the order of its file."""
    return _stages(connection, "run_id = ? AND status <> 'pending'", run_id)


def _stages(connection: sqlite3.Connection, where: str, *given: int | str) -> tuple[StageRun, ...]:
    query = f"SELECT {STAGE_COLUMNS} FROM stages WHERE {where} ORDER BY position"  # noqa: S608
    return tuple(map(stage_of, plain(connection, query, *given)))


def plain(connection: sqlite3.Connection, query: str, *given: int | str) -> sqlite3.Cursor:
    """Rows as tuples, which are made faster than those with names."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(query, given)


def order_of_starts(connection: sqlite3.Connection, run_id: int) -> dict[str, int]:
    """When each stage of a run first began to run, by its place in the order of all events."""
    query = """
        SELECT stage_name, min(id) AS start FROM events
        WHERE run_id = ? AND kind = 'stage' AND to_status = 'running' GROUP BY stage_name
    """
    return {row["stage_name"]: row["start"] for row in connection.execute(query, (run_id,))}


def driven_runs(connection: sqlite3.Connection) -> dict[int | None, tuple[int, ...]]:
    """The runs under way, and those being rolled back, by the executors that own them."""
    query = """
        SELECT epoch, id FROM runs INDEXED BY runs_by_status WHERE status IN ('pending', 'running')
        UNION SELECT epoch, run_id FROM rollback_events INDEXED BY rollback_events_by_status
            WHERE status IN ('pending', 'running')
        ORDER BY id
    """
    found: dict[int | None, tuple[int, ...]] = {}
    for row in connection.execute(query):
        found[row["epoch"]] = (*found.get(row["epoch"], ()), row["id"])
    return found


def outputs_of(connection: sqlite3.Connection, run_id: int) -> dict[tuple[str, str], str]:
    """What the stages of a run put out: (stage, key) to value."""
    query = "SELECT stage_name, key, value FROM outputs WHERE run_id = ?"
    rows = connection.execute(query, (run_id,))
    return {(row["stage_name"], row["key"]): row["value"] for row in rows}
