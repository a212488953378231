"""Every question to the history is answered by an index, however much has happened."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from orchestrate_tui.store import open_database, rollbacks
from orchestrate_tui.store.commands import waiting_commands
from orchestrate_tui.store.environments import newer_deployment
from orchestrate_tui.store.history import History, order_of_starts
from orchestrate_tui.store.placing import place_before
from tests.store.scenery import NOON

Question = Callable[[History], object]

RUNS = 2000
LATE = NOON + timedelta(seconds=RUNS - 5)
PAGES_OF_ALL = {"SCAN runs", "SCAN rollback_events"}
"""Only the newest of all may be walked to, by the primary key and up to a limit."""
HARMLESS = re.compile(r"SCAN (CONSTANT ROW|json_each VIRTUAL TABLE.*)")

NEW_RUNS = "runs WHERE runs.id BETWEEN :first AND :last"
FILL = (
    "INSERT OR IGNORE INTO definitions VALUES ('h', 'shop', '{}', '', '')",
    """
    WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
    INSERT INTO runs (id, pipeline, definition_hash, status, actor, epoch, created_at)
    SELECT i, 'shop-' || (i % 20), 'h',
        CASE i % 50 WHEN 0 THEN 'interrupted' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'running'
            WHEN 3 THEN 'failed' ELSE 'succeeded' END,
        'alice', 1,
        strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-05-04T12:00:00', i || ' seconds')
    FROM n
    """,
    f"""
    INSERT INTO stages (run_id, position, stage_name, agent, status)
    SELECT runs.id, value, 'stage-' || value, 'robot', 'succeeded'
    FROM json_each('[0, 1, 2]'), {NEW_RUNS}
    """,
    f"""
    INSERT INTO events (run_id, at, kind)
    SELECT runs.id, created_at, 'stage' FROM json_each('[0, 1, 2, 3, 4]'), {NEW_RUNS}
    """,
    f"""
    INSERT INTO rollback_events
        (run_id, failed_stage_name, rollback_to_stage, trigger_type, status, created_at)
    SELECT runs.id, 'stage-2', 'stage-0', 'manual', 'succeeded', created_at
    FROM json_each('[0, 1, 2]'), {NEW_RUNS} AND runs.id % 2 = 1
    """,
    """
    INSERT INTO rollback_steps (rollback_id, position, stage_name, agent, task)
    SELECT event.id, value, 'stage-' || value, 'robot', 'undo'
    FROM json_each('[0, 1, 2]'), rollback_events AS event
    WHERE event.run_id BETWEEN :first AND :last
    """,
    f"""
    INSERT INTO outputs
    SELECT runs.id, 'stage-0', value, 'x' FROM json_each('["a", "b"]'), {NEW_RUNS}
    """,
    f"""
    INSERT INTO approvals (run_id, stage_name, decision, entry, actor, decided_at)
    SELECT runs.id, 'stage-1', 'approved', value, 'bob', created_at
    FROM json_each('["lead", "ops"]'), {NEW_RUNS}
    """,
    f"""
    INSERT INTO commands (idempotency_key, run_id, kind, actor, status, created_at)
    SELECT 'k' || id, id, 'cancel', 'bob', 'done', created_at FROM {NEW_RUNS}
    """,
)


def fill(first: int, last: int, connection: sqlite3.Connection) -> None:
    """Make runs with everything that may belong to them."""
    for statement in FILL:
        connection.execute(statement, {"first": first, "last": last})


def runs(**narrowing: Any) -> Question:
    return lambda history: history.runs(**narrowing)


def asking(query: Callable[[sqlite3.Connection], object]) -> Question:
    return lambda history: history._read(query)


QUESTIONS: dict[str, Question] = {
    "newest runs": runs(),
    "next runs": runs(before=1000),
    "runs of a pipeline": runs(pipeline="shop-7"),
    "next runs of a pipeline": runs(pipeline="shop-7", before=1000),
    "runs since": runs(since=LATE),
    "next runs since": runs(since=LATE, before=RUNS - 1),
    "runs of a pipeline since": runs(since=LATE, pipeline="shop-7"),
    "run": lambda history: history.run(700),
    "stages": lambda history: history.stages(700),
    "outputs": lambda history: history.outputs(700),
    "approvals": lambda history: history.approvals(700),
    "newest rollbacks": lambda history: history.rollbacks(),
    "next rollbacks": lambda history: history.rollbacks(before=20),
    "rollbacks of a run": lambda history: history.rollbacks(703),
    "last rollbacks of some runs": lambda history: history.last_rollbacks((3, 703)),
    "next rollbacks of a run": lambda history: history.rollbacks(703, before=30),
    "rollback": lambda history: history.rollback(7),
    "steps": lambda history: history.steps(7),
    "events": lambda history: history.events(700),
    "next events": lambda history: history.events(700, after=300),
    "what events of all are about": lambda history: history.touched(9900, 9990),
    "last event": lambda history: history.last_event_id(),
    "waiting commands": asking(lambda c: waiting_commands(c, 700)),
    "count of a target": asking(lambda c: rollbacks.count_for_stage(c, 703, "stage-0")),
    "rollbacks under way": asking(lambda c: rollbacks.check_none_under_way(c, 703)),
}
for status in RunStatus:
    QUESTIONS[f"{status} runs"] = runs(status=status)
    QUESTIONS[f"next {status} runs of a pipeline"] = runs(
        status=status, pipeline="shop-7", before=1000
    )
    QUESTIONS[f"{status} runs since"] = runs(status=status, since=LATE)
for state in RollbackStatus:
    QUESTIONS[f"{state} rollbacks"] = asking(
        partial(rollbacks.list_events, status=state, before=30)
    )


@pytest.fixture(scope="module", params=["never", "before", "after"])
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    """A long history, of which the planner has no statistics, those of a short one, or its own."""
    path = tmp_path_factory.mktemp("long") / "store.db"
    with open_database(path) as database:
        database.write(partial(fill, 1, 10))
        if request.param == "before":
            database.write(lambda c: c.execute("ANALYZE").close())
        database.write(partial(fill, 11, RUNS))
        if request.param == "after":
            database.write(lambda c: c.execute("ANALYZE").close())
        history = History(path)
        yield history
        history.close()


def connection(history: History) -> sqlite3.Connection:
    """What the history reads through while nobody closes the database."""
    return history._read(lambda connection: connection)


def statements(history: History, question: Question) -> list[str]:
    """The SQL that a question comes to."""
    seen: list[str] = []
    connection(history).set_trace_callback(seen.append)
    question(history)
    connection(history).set_trace_callback(None)
    return seen


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_answered_by_an_index_without_sorting(history: History, name: str) -> None:
    asked = statements(history, QUESTIONS[name])
    assert asked
    for sql in asked:
        plan = [row["detail"] for row in connection(history).execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)
        scans = [step for step in plan if step.startswith("SCAN") and not HARMLESS.match(step)]
        is_page_of_all = "WHERE" not in sql and "LIMIT" in sql and set(scans) <= PAGES_OF_ALL
        assert not scans or is_page_of_all, (sql, plan)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_costs_little_however_much_has_happened(history: History, name: str) -> None:
    assert _steps_of(history, QUESTIONS[name]) < 4000


def _steps_of(history: History, question: Question) -> int:
    """How much work of SQLite an answer takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 10
        return 0

    connection(history).set_progress_handler(count, 10)
    question(history)
    connection(history).set_progress_handler(None, 10)
    return steps


WIDE = (
    "INSERT INTO definitions VALUES ('h', 'shop', '{}', '', '')",
    """
    INSERT INTO runs (id, pipeline, definition_hash, status, actor, created_at)
    VALUES (1, 'shop', 'h', 'succeeded', 'alice', ''), (2, 'shop', 'h', 'succeeded', 'bob', '')
    """,
    """
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
    INSERT INTO stages (run_id, position, stage_name, agent, status, environment)
    SELECT 1, i, 'stage-' || i, 'robot', 'succeeded', 'production' FROM n
    """,
    """
    INSERT INTO events (run_id, at, kind, stage_name, to_status)
    SELECT 1, '', 'stage', stage_name, value
    FROM stages, json_each('["running", "succeeded"]') ORDER BY position, key
    """,
    """
    INSERT INTO events (run_id, at, kind, stage_name, to_status)
    VALUES (2, '', 'stage', 'stage-0', 'running')
    """,
    """
    INSERT INTO releases
        (pipeline, environment, run_id, stage_name, definition_hash, event_id, created_at)
    VALUES ('shop', 'production', 2, 'stage-0', 'h', 3000, '')
    """,
)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A history with one run, of a thousand stages that deployed something."""
    path = tmp_path_factory.mktemp("wide") / "store.db"
    with open_database(path) as database:
        database.write(lambda c: [c.execute(statement) for statement in WIDE].clear())
        history = History(path)
        yield history
        history.close()


def test_when_the_stages_of_a_run_began_is_asked_once(wide: History) -> None:
    starts = wide.query(partial(order_of_starts, run_id=1))
    look = partial(place_before, run_id=1, stage_name="stage-999", starts=starts)
    assert not [sql for sql in statements(wide, asking(look)) if "FROM events" in sql]
    newer = partial(newer_deployment, run_id=1, places={("production", None)})
    assert wide.query(newer) == "Run 2 has deployed to 'production' since"
    assert _steps_of(wide, asking(newer)) < 200_000
