"""Databases with as many runs as somebody likes, written straight into the store's tables.

What is in them is what the executor would have left: definitions, runs, stages, rollbacks and a
chain of events that verifies. Only that there is one event for each run, not one for each change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.pipeline import OnFailure, Pipeline, Stage, Undo
from orchestrate_tui.store.chain import START, Head, digest_of
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.definitions import insert_definition
from orchestrate_tui.store.head import make_head
from orchestrate_tui.store.verification import move_mark

PIPELINES = 20
STAGES = ("build", "test", "deploy-staging", "smoke-test", "deploy-production")
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)

_NUMBERS = (
    "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :runs)"
)
_BEGUN = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1577836800 + {0} * 120, 'unixepoch')"
_ENDED = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1577836895 + {0} * 120, 'unixepoch')"

_RUNS = f"""
    {_NUMBERS}
    INSERT INTO runs (id, pipeline, definition_hash, status, branch, actor, reason, epoch,
        created_at, started_at, completed_at)
    SELECT n, 'service-' || (n % {PIPELINES}), definitions.hash,
        CASE WHEN n % 10 THEN 'succeeded' ELSE 'failed' END, 'main', 'alice',
        CASE WHEN n % 10 THEN '' ELSE 'stage ''smoke-test'' failed' END, 1,
        {_BEGUN.format("n")}, {_BEGUN.format("n")}, {_ENDED.format("n")}
    FROM number JOIN definitions ON definitions.pipeline = 'service-' || (n % {PIPELINES})
"""
_STAGES = f"""
    INSERT INTO stages (run_id, position, stage_name, agent, status, attempt, exit_code,
        started_at, completed_at)
    SELECT runs.id, stage.key, stage.value, 'deployer',
        CASE WHEN runs.status = 'succeeded' OR stage.key < 3 THEN 'succeeded'
            WHEN stage.key = 3 THEN 'failed' ELSE 'skipped' END,
        runs.status = 'succeeded' OR stage.key <= 3,
        CASE WHEN runs.status = 'succeeded' OR stage.key < 3 THEN 0
            WHEN stage.key = 3 THEN 1 END,
        {_BEGUN.format("runs.id")}, {_ENDED.format("runs.id")}
    FROM runs CROSS JOIN json_each(:stages) AS stage
"""
_ROLLBACKS = f"""
    INSERT INTO rollback_events (run_id, failed_stage_name, rollback_to_stage, trigger_type,
        status, started_at, completed_at, created_at, reason, epoch)
    SELECT id, 'smoke-test', 'deploy-staging', 'automatic', 'succeeded',
        {_BEGUN.format("id")}, {_ENDED.format("id")}, {_BEGUN.format("id")},
        'stage ''smoke-test'' failed', 1
    FROM runs WHERE status = 'failed'
"""
_EVENTS = """
    INSERT INTO events (id, run_id, at, kind, stage_name, rollback_id, from_status, to_status,
        attempt, actor, detail, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def service(number: int) -> Pipeline:
    """One of the pipelines that the runs are of."""
    stages = tuple(
        Stage(name=name, agent="deployer", task=f"Do {name}", depends_on=STAGES[place - 1 : place])
        for place, name in enumerate(STAGES[:2])
    )
    deploy = Stage(
        name="deploy-staging", agent="deployer", task="Deploy", depends_on=("test",),
        rollback=Undo(task="Undo"),
    )  # fmt: skip
    smoke = Stage(
        name="smoke-test", agent="deployer", task="Test", depends_on=("deploy-staging",),
        on_failure=OnFailure.ROLLBACK, rollback_to="deploy-staging",
    )  # fmt: skip
    last = Stage(
        name="deploy-production", agent="deployer", task="Deploy", depends_on=("smoke-test",)
    )
    return Pipeline(name=f"service-{number}", stages=(*stages, deploy, smoke, last))


def history(folder: Path, runs: int) -> Path:
    """A database with so many ended runs of five stages each; made once per folder."""
    path = folder / f"{runs}-runs" / "orchestrate.db"
    if not path.exists():
        open_database(path).close()
        if runs:
            _fill(path, runs)
    return path


def _fill(path: Path, runs: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN IMMEDIATE")
    for number in range(PIPELINES):
        insert_definition(connection, service(number), "", to_text(_FIRST))
    connection.execute(_RUNS, {"runs": runs})
    connection.execute(_STAGES, {"stages": str(list(STAGES)).replace("'", '"')})
    connection.execute(_ROLLBACKS)
    head = _record(connection, runs)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    make_head(path.with_name(f"{path.name}.head"), head)


def _record(connection: sqlite3.Connection, runs: int) -> Head:
    """Write a chain of one event for each run; where it ends."""
    head = START

    def chained() -> Iterator[tuple[object, ...]]:
        nonlocal head
        at = to_text(_FIRST)
        for number in range(1, runs + 1):
            values = (number, number, at, "run", None, None, None, "succeeded", None, "alice", "")
            head = Head(number, digest_of(head.digest, values))
            yield (*values, head.digest)

    connection.executemany(_EVENTS, chained())
    move_mark(connection, head)
    return head
