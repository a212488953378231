"""Reading what happened: in pages, narrowed, without writing, and with clear errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import NotFound, StoreError
from orchestrate_tui.store import Database, insert_rollback_event, open_database
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.history import History, run_as_it_stands
from tests.store.scenery import NOON, Store, rollback_of

MINUTE = timedelta(minutes=1)
GONE = 4711


def ids(history: History, **narrowing: Any) -> list[int]:
    return [run.id for run in history.runs(**narrowing)]


def test_runs_come_newest_first(store: Store, history: History) -> None:
    made = [store.new_run() for _ in range(3)]
    assert ids(history) == made[::-1]
    assert ids(history, limit=2) == made[:0:-1]


def test_pages_follow_each_other_while_new_runs_are_made(store: Store, history: History) -> None:
    made = [store.new_run() for _ in range(7)]
    seen: list[int] = []
    while page := ids(history, before=seen[-1] if seen else None, limit=3):
        seen += page
        store.new_run()
    assert seen == made[::-1]


def test_runs_are_narrowed_by_pipeline_status_and_both(store: Store, history: History) -> None:
    shop, api = store.ended_run(), store.new_run(pipeline="api")
    waiting = store.new_run()
    assert ids(history, pipeline="shop") == [waiting, shop]
    assert ids(history, status=RunStatus.PENDING) == [waiting, api]
    assert ids(history, pipeline="api", status=RunStatus.PENDING) == [api]
    assert ids(history, pipeline="api", status=RunStatus.SUCCEEDED) == []
    assert ids(history, pipeline="nothing") == []


def test_runs_since_a_moment_are_those_created_then_or_later(
    store: Store, history: History
) -> None:
    made = [store.new_run(at=NOON + number * MINUTE) for number in range(4)]
    assert ids(history, since=NOON + 2 * MINUTE) == [made[3], made[2]]
    assert ids(history, since=NOON + 2.5 * MINUTE) == [made[3]]
    assert ids(history, since=NOON - MINUTE, before=made[2]) == [made[1], made[0]]
    assert ids(history, since=NOON + 9 * MINUTE) == []


def test_a_clock_that_was_set_back_hides_no_run(store: Store, history: History) -> None:
    late, early, later = (store.new_run(at=NOON + n * MINUTE) for n in (5, 1, 6))
    assert ids(history, since=NOON + 5 * MINUTE) == [later, late]
    assert ids(history, since=NOON + MINUTE) == [later, early, late]


def test_narrowing_by_status_means_the_status_that_is_shown(store: Store, history: History) -> None:
    lost_pending = store.new_run(epoch=GONE)
    interrupted = store.started_run()
    store.change_run(interrupted, RunStatus.RUNNING, RunStatus.INTERRUPTED)
    lost_running, living = store.started_run(epoch=GONE), store.started_run()
    pending = store.new_run()
    assert ids(history, status=RunStatus.INTERRUPTED) == [lost_running, interrupted, lost_pending]
    assert ids(history, status=RunStatus.INTERRUPTED, limit=2) == [lost_running, interrupted]
    assert ids(history, status=RunStatus.RUNNING) == [living]
    assert ids(history, status=RunStatus.PENDING) == [pending]
    assert ids(history, status=RunStatus.SUCCEEDED) == []


def test_rollbacks_come_newest_first_of_one_run_or_of_all(store: Store, history: History) -> None:
    one, two = store.ended_run(), store.ended_run()
    made = [insert_rollback_event(store.database, rollback_of(run)) for run in (one, two, one)]
    assert [event.id for event in history.rollbacks()] == made[::-1]
    assert [event.id for event in history.rollbacks(one)] == [made[2], made[0]]
    assert [event.id for event in history.rollbacks(before=made[2], limit=1)] == [made[1]]
    assert history.rollback(made[0]).run_id == one


def test_of_each_run_the_last_rollback_is_found(store: Store, history: History) -> None:
    one, two, none = (store.ended_run() for _ in range(3))
    made = [insert_rollback_event(store.database, rollback_of(run)) for run in (one, two, one)]
    found = history.last_rollbacks((one, two, none, GONE))
    assert {run_id: event.id for run_id, event in found.items()} == {two: made[1], one: made[2]}
    assert not history.last_rollbacks(())


def test_events_are_read_on_from_the_last_that_was_seen(store: Store, history: History) -> None:
    assert history.last_event_id() == 0
    first, second = store.ended_run(), store.ended_run()
    assert {event.run_id for event in history.events(second)} == {second}
    seen = history.events(first, limit=2)[-1].id
    assert [event.id for event in history.events(first, after=seen, limit=1)] == [seen + 1]


def test_what_events_are_about_is_told_once_each(store: Store, history: History) -> None:
    first = store.ended_run()
    seen = history.last_event_id()
    second = store.ended_run()
    last = history.last_event_id()
    touched = history.touched(seen, last)
    assert {run_id for run_id, _, _ in touched} == {second}
    assert len(touched) == len(set(touched)) < last - seen
    assert {run_id for run_id, _, _ in history.touched(0, seen)} == {first}
    assert history.touched(last, last) == ()


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda history: history.run(9), "There is no run 9. List them"),
        (lambda history: history.stages(9), "There is no run 9"),
        (lambda history: history.definition(9), "There is no run 9"),
        (lambda history: history.rollback(9), "There is no rollback 9. List them"),
        (lambda history: history.steps(9), "There is no rollback 9"),
    ],
)
def test_what_is_unknown_is_not_found(
    history: History, ask: Callable[[History], object], answer: str
) -> None:
    with pytest.raises(NotFound, match=answer):
        ask(history)


def test_a_run_without_outputs_approvals_or_rollbacks_has_none(
    store: Store, history: History
) -> None:
    run_id = store.new_run()
    assert history.outputs(run_id) == {}
    assert (history.approvals(run_id), history.rollbacks(run_id)) == ((), ())


def test_a_database_that_is_not_there_is_not_made(path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no database .*Run a pipeline first"):
        History(path)
    assert not path.parent.exists()


def test_an_empty_file_is_no_history(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(NotFound, match=r"is empty\. Run a pipeline first"):
        History(path)


def test_a_database_that_was_not_brought_up_to_date_is_refused(store: Store) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "DELETE FROM migration_files WHERE name = (SELECT max(name) FROM migration_files)"
        )
    with pytest.raises(StoreError, match="made by an earlier version"):
        History(store.path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my notes")
    with pytest.raises(StoreError, match="--db"):
        History(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Cannot use the database"):
        History(tmp_path)


def test_the_logs_of_a_run_lie_where_its_executor_writes_them(
    store: Store, history: History
) -> None:
    files = store.database.files
    assert history.log_path(1, "build", 2) == files.log(1, "build", 2)
    assert history.undo_log_path(1, 3, "build", 2) == files.undo_log(1, 3, "build", 2)


def test_a_pipeline_that_was_never_kept_is_not_made_up(store: Store) -> None:
    with pytest.raises(StoreError, match="no definition abc"):
        store.database.read(lambda c: read_definition(c, "abc"))


def test_a_stage_in_a_status_that_was_never_written_is_told_in_a_sentence(
    store: Store, history: History
) -> None:
    run_id = store.ended_run()

    def damage(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE stages SET status = 'odd'")

    store.database.write(damage)
    with pytest.raises(StoreError, match="could not be read: 'odd' is not a valid StageStatus"):
        history.stages(run_id)


def test_reading_never_writes(store: Store, history: History) -> None:
    store.ended_run()
    connection = history._read(lambda connection: connection)
    with pytest.raises(sqlite3.OperationalError, match="readonly database"):
        connection.execute("DELETE FROM runs")
    with pytest.raises(sqlite3.OperationalError, match="readonly database"):
        connection.execute("PRAGMA user_version = 7")


def test_history_is_read_while_nobody_writes(path: Path) -> None:
    open_database(path).close()
    history = History(path)
    assert history.runs() == ()
    history.close()


def test_a_reader_sees_what_is_committed_while_it_reads(store: Store, history: History) -> None:
    assert history.runs() == ()
    run_id = store.new_run()
    assert ids(history) == [run_id]


def test_a_commit_of_another_connection_changes_the_data_version(
    store: Store, history: History
) -> None:
    before = history.data_version()
    assert history.data_version() == before
    store.new_run()
    assert history.data_version() != before


def test_reading_a_database_that_breaks_is_a_store_error(store: Store, history: History) -> None:
    store.execute("DROP TABLE outputs")
    with pytest.raises(StoreError, match="could not be read: no such table: outputs"):
        history.outputs(store.new_run())


def test_a_run_read_by_a_writer_is_shown_as_it_stands(database: Database, store: Store) -> None:
    run_id, lost = store.started_run(), store.started_run(epoch=GONE)

    def status(run: int) -> RunStatus:
        return database.read(lambda c: run_as_it_stands(c, run, database.files)).status

    assert (status(run_id), status(lost)) == (RunStatus.RUNNING, RunStatus.INTERRUPTED)


def test_the_history_of_a_database_reached_through_a_link_is_the_same(
    store: Store, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(store.path)
    run_id = store.started_run()
    history = History(link)
    assert history.run(run_id).status is RunStatus.RUNNING
    history.close()
