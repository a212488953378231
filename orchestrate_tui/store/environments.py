"""Who works in an environment: what is under way says so, and needs no lock of its own.

A rollback holds the environments of its steps as long as it is running, also while it waits for
the operator; a stage holds its own while it runs, but not while it waits for a rollback. Both are
rows, so whoever begins in a transaction sees who was first. What an executor left that died holds
its environment only while a program of it goes on. Simulated runs hold nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.events import HELD
from orchestrate_tui.domain.keys import CHECK, run_key, work_key
from orchestrate_tui.domain.moments import from_text, to_text
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.stagehost.journal_reader import running
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.placing import is_passed_over
from orchestrate_tui.store.record import record
from orchestrate_tui.store.rollbacks import how_it_ends as how_rollback_ends
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from orchestrate_tui.store.database import StoreFiles

_ROLLBACKS = """
    SELECT event.id AS rollback_id, event.run_id, event.actor, event.epoch, runs.pipeline,
        event.waiting_since, runs.created_at, stages.stage_name, stages.environment, step.component
    FROM rollback_events AS event INDEXED BY rollback_events_by_status
        JOIN runs ON runs.id = event.run_id
        JOIN rollback_steps AS step ON step.rollback_id = event.id
        JOIN stages ON stages.run_id = event.run_id AND stages.stage_name = step.stage_name
    WHERE event.status = 'running' AND NOT runs.simulated AND stages.environment IS NOT NULL
        AND event.run_id <> ?
    ORDER BY event.id
"""
_STAGES = """
    SELECT NULL AS rollback_id, runs.id AS run_id, runs.actor, runs.epoch, runs.pipeline,
        NULL AS waiting_since, runs.created_at, stages.stage_name, stages.environment,
        NULL AS component
    FROM runs INDEXED BY runs_by_status JOIN stages ON stages.run_id = runs.id
    WHERE runs.status IN ('running', 'interrupted') AND NOT runs.simulated
        AND stages.status IN ('running', 'interrupted') AND stages.environment IS NOT NULL
        AND stages.waits_for = '' AND runs.id <> ?
    ORDER BY runs.id
"""
_STARTS = """
    FROM events WHERE run_id = {0}.run_id AND stage_name = {0}.stage_name
        AND kind = 'stage' AND to_status = 'running'
"""
"""When a stage began to run, by its place in the order of all events."""

_NEWER = f"""
    WITH own AS (
        SELECT environment, max(start) AS start FROM stages JOIN (
            SELECT stage_name, min(id) AS start FROM events
            WHERE run_id = :run AND kind = 'stage' AND to_status = 'running' GROUP BY stage_name
        ) USING (stage_name)
        WHERE run_id = :run AND environment IS NOT NULL GROUP BY environment),
    since AS (
        SELECT coalesce(min(id), 0) AS start FROM events
        WHERE run_id = :run AND rollback_id = :rollback
            AND kind = 'rollback' AND to_status = 'running')
    SELECT release.* FROM runs CROSS JOIN own CROSS JOIN since
        JOIN releases AS release
            ON release.pipeline = runs.pipeline AND release.environment = own.environment
    WHERE runs.id = :run AND release.run_id <> :run AND release.undone_by IS NULL
        AND release.event_id > max(own.start, since.start)
        AND (SELECT max(id) {_STARTS.format("release")} AND id < release.event_id)
            > max(own.start, since.start)
    ORDER BY release.run_id DESC, release.id DESC
"""  # noqa: S608  (names of our own)
"""The releases whose stages began after those of the run, and after its rollback, if there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What works in an environment; `rollback_id` None means a stage of a run.

    `is_left` says that its executor died, and that a program of it goes on; `is_waiting` that a
    rollback waits for a decision.
    """

    environment: str
    run_id: int
    pipeline: str
    stage_name: str
    actor: str
    rollback_id: int | None = None
    is_left: bool = False
    is_waiting: bool = False

    @property
    def sentence(self) -> str:
        """Who has the environment, as a refusal names them."""
        by = f" by {self.actor}" if self.actor else ""
        run = f"run {self.run_id} of {self.pipeline}"
        though = ", though its executor died" if self.is_left else ""
        where = f"in '{self.environment}'{though}"
        if self.rollback_id is not None:
            state = "waits for a decision" if self.is_waiting else "is under way"
            return f"rollback {self.rollback_id}{by} of {run} {state} {where}"
        return f"stage '{self.stage_name}' of {run}{by} works {where}"


def how_it_ends(holder: Holder) -> str:
    """What somebody does in whose way a holder is."""
    if holder.is_left:
        end = f"cancel {holder.run_id}"
        if holder.rollback_id is not None:
            end = f"rollback-step {holder.rollback_id} halt --reason TEXT"
        go_on = f"orchestrate-tui resume {holder.run_id}"
        return f"Go on with it: {go_on}; or end it: orchestrate-tui {end}"
    if holder.rollback_id is None:
        return "Wait for its end"
    return how_rollback_ends(holder.rollback_id, is_waiting=holder.is_waiting)


def holder_of(
    connection: sqlite3.Connection,
    files: StoreFiles,
    environments: Collection[str],
    run_id: int,
    *,
    only_rollbacks: bool = False,
) -> Holder | None:
    """The first who works in one of these environments beside the run; None for nobody."""
    if not environments:
        return None
    for row in _under_way(connection, run_id, only_rollbacks=only_rollbacks):
        if row["environment"] not in environments:
            continue
        is_left = not is_alive(files, row["epoch"])
        if not is_left or _goes_on(files, row):
            names = ("environment", "run_id", "pipeline", "stage_name", "actor", "rollback_id")
            known = {name: row[name] for name in names}
            return Holder(**known, is_left=is_left, is_waiting=row["waiting_since"] is not None)
    return None


def _goes_on(files: StoreFiles, row: sqlite3.Row) -> bool:
    """Whether a program of a stage, or of its undo, outlives its executor."""
    part = part_name(row["stage_name"], row["component"])
    run = run_key(row["run_id"], from_text(row["created_at"]))
    key = work_key(run, part, row["rollback_id"])
    return any(one.startswith((f"{key}.", f"{key}{CHECK}.")) for one in running(str(files.hosts)))


def _under_way(
    connection: sqlite3.Connection, run_id: int, *, only_rollbacks: bool
) -> Iterator[sqlite3.Row]:
    yield from connection.execute(_ROLLBACKS, (run_id,))
    if not only_rollbacks:
        yield from connection.execute(_STAGES, (run_id,))


def hold_stage(
    connection: sqlite3.Connection,
    files: StoreFiles,
    run_id: int,
    *,
    stage_name: str,
    environment: str,
    at: datetime,
) -> str:
    """Note on a stage that is running which rollback has its environment, in a sentence.

    Returns the sentence; "" means that none has it, and from then on the stage does.
    """
    holder = holder_of(connection, files, (environment,), run_id, only_rollbacks=True)
    sentence = holder.sentence if holder else ""
    connection.execute(
        "UPDATE stages SET waits_for = ? WHERE run_id = ? AND stage_name = ?",
        (sentence, run_id, stage_name),
    )
    record(
        connection, run_id, to_text(at), HELD, stage_name=stage_name,
        to_status=StageStatus.RUNNING, detail=sentence,
    )  # fmt: skip
    return sentence


def newer_deployment(
    connection: sqlite3.Connection,
    run_id: int,
    places: Collection[tuple[str, str | None]],
    *,
    since_rollback: int | None = None,
) -> str:
    """That a newer run of the same pipeline has deployed there since; "" when none has.

    A place is an environment and a component, None for all of it. A release that is not in place
    any more does not count, nor what came of it, nor what began before `since_rollback` did. What
    is newer the record tells, and no clock.
    """
    given = {"run": run_id, "rollback": since_rollback}
    for row in connection.execute(_NEWER, given) if places else ():
        environment, component = row["environment"], row["component"]
        is_there = any(
            place == environment and (None in {part, component} or part == component)
            for place, part in places
        )
        if is_there and not is_passed_over(connection, row):
            return f"Run {row['run_id']} has deployed to '{environment}' since"
    return ""
