"""The record of what happened: one event for every change, in order, for ever."""

from __future__ import annotations

from itertools import pairwise

import pytest

from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.history import History
from tests.store.scenery import NOON, Store, change, starting, succeeding

FORGED = "INSERT OR REPLACE INTO events (id, run_id, at, kind) VALUES (1, 1, '', 'forged')"


def test_every_change_leaves_one_event(store: Store, history: History) -> None:
    run_id = store.ended_run("build", "deploy")
    told = [
        (event.kind, event.stage_name, event.from_status, event.to_status)
        for event in history.events(run_id)
    ]
    assert told == [
        ("run", None, None, "pending"),
        ("run", None, "pending", "running"),
        ("stage", "build", "pending", "running"),
        ("stage", "deploy", "pending", "running"),
        ("stage", "build", "running", "succeeded"),
        ("stage", "deploy", "running", "succeeded"),
        ("run", None, "running", "succeeded"),
    ]


def test_an_event_tells_who_did_what_when_and_why(store: Store, history: History) -> None:
    run_id = store.started_run()
    store.change_stages(
        run_id,
        change(
            "build", 0, StageStatus.RUNNING, StageStatus.CANCELLED,
            attempt=1, actor="bob", reason="stopped by bob",
        ),
    )  # fmt: skip
    event = history.events(run_id)[-1]
    assert (event.run_id, event.at, event.attempt) == (run_id, NOON, 1)
    assert (event.actor, event.detail) == ("bob", "stopped by bob")


def test_who_started_a_run_stands_in_its_first_event(store: Store, history: History) -> None:
    first, *_ = history.events(store.new_run())
    assert first.actor == "alice"


def test_events_are_numbered_in_the_order_of_their_commits(store: Store) -> None:
    for _ in range(20):
        store.ended_run("build", "deploy")
    ids = [event_id for (event_id,) in store.select("SELECT id FROM events ORDER BY id")]
    assert len(ids) == 140
    assert all(later > earlier for earlier, later in pairwise(ids))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET detail = 'nothing happened'",
        "UPDATE OR IGNORE events SET id = id + 1000",
        "DELETE FROM events",
        "DELETE FROM events WHERE id = 1",
        FORGED,
    ],
)
def test_an_event_is_neither_altered_nor_deleted(store: Store, sql: str) -> None:
    store.started_run()
    before = store.select("SELECT * FROM events")
    with pytest.raises(StoreError, match="events are append-only"):
        store.execute(sql)
    assert store.select("SELECT * FROM events") == before


def test_an_event_is_not_replaced_in_a_database_that_was_there_before(store: Store) -> None:
    store.started_run()
    with open_database(store.path) as again, pytest.raises(StoreError, match="append-only"):
        again.write(lambda c: c.execute(FORGED))


def test_a_refused_change_leaves_no_event(store: Store, history: History) -> None:
    run_id = store.ended_run()
    before = history.last_event_id()
    with pytest.raises(Exception, match="not in the status"):
        store.change_stages(run_id, starting(), succeeding())
    with pytest.raises(Exception, match="is no longer"):
        store.change_run(run_id, RunStatus.RUNNING, RunStatus.FAILED)
    assert history.last_event_id() == before
