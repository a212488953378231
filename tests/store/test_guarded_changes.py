"""Changes of runs and stages: each says what it expects to find, and none is half made."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest

from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import (
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    RunStatus,
    StageStatus,
)
from orchestrate_tui.errors import StaleTransition
from orchestrate_tui.store.fencing import check_owner, take_over
from orchestrate_tui.store.history import History
from tests.store.scenery import NOON, Store, change, starting, succeeding, taking

SOMEBODY_ELSE = 4711


def statuses(store: Store, run_id: int) -> list[str]:
    rows = store.select("SELECT status FROM stages WHERE run_id = ? ORDER BY position", run_id)
    return [status for (status,) in rows]


def event_count(store: Store) -> int:
    return int(store.select("SELECT count(*) FROM events")[0][0])


def force(store: Store, run_id: int, table: str, status: str) -> None:
    key = "run_id" if table == "stages" else "id"
    store.execute(f"UPDATE {table} SET status = ? WHERE {key} = ?", status, run_id)


def test_a_new_run_is_pending_with_all_its_stages(store: Store, history: History) -> None:
    trigger = TriggerContext(
        event="push", branch="main", labels=("hot",), changed=(), variables=(("a", "1"),)
    )
    run = history.run(store.new_run("build", "deploy", trigger=trigger))
    assert (run.status, run.trigger, run.actor) == (RunStatus.PENDING, trigger, "alice")
    assert (run.created_at, run.started_at, run.completed_at) == (NOON, None, None)
    assert (run.workdir, run.pipeline_dir, run.epoch) == ("/srv/shop", "/srv", store.epoch)
    assert [stage.stage_name for stage in history.stages(run.id)] == ["build", "deploy"]
    assert {stage.status for stage in history.stages(run.id)} == {StageStatus.PENDING}


@pytest.mark.parametrize("label", ["heiß", 'a "quoted" one', "bytes \udcff that are no text"])
def test_a_label_is_read_as_it_was_given(store: Store, history: History, label: str) -> None:
    trigger = TriggerContext(labels=("hot", label), variables=(("a", label),))
    assert history.run(store.new_run(trigger=trigger)).trigger == trigger


def test_changed_paths_that_are_unknown_stay_unknown(store: Store, history: History) -> None:
    assert history.run(store.new_run()).trigger.changed is None


def test_the_same_pipeline_is_kept_once(store: Store, history: History) -> None:
    first, second = store.new_run("build"), store.new_run("build")
    other = store.new_run("deploy")
    assert history.definition(first) == history.definition(second) != history.definition(other)
    assert store.select("SELECT count(*) FROM definitions") == [(2,)]


def test_a_pipeline_that_was_drawn_is_the_same_one_in_its_next_run(
    store: Store, history: History
) -> None:
    drawn = history.definition(store.new_run("build"))
    assert history.definition(store.new_run("build")) is drawn


def test_a_stage_goes_its_way_with_times_attempts_and_outputs(
    store: Store, history: History
) -> None:
    run_id = store.new_run()
    failing = change(
        "build", 0, StageStatus.RUNNING, StageStatus.RETRYING, exit_code=1, reason="exit 1"
    )
    again = change("build", 0, StageStatus.RETRYING, StageStatus.RUNNING, attempt=2)
    ending = change(
        "build", 0, StageStatus.RUNNING, StageStatus.SUCCEEDED, exit_code=0, outputs=(("v", "2"),)
    )
    store.change_stages(run_id, starting(), failing)
    (stage,) = history.stages(run_id)
    assert (stage.attempt, stage.exit_code, stage.reason) == (1, 1, "exit 1")
    assert stage.completed_at is None
    store.change_stages(run_id, again, ending)
    (stage,) = history.stages(run_id)
    assert (stage.attempt, stage.exit_code, stage.reason) == (2, 0, "")
    assert (stage.started_at, stage.completed_at) == (NOON, NOON)
    assert history.outputs(run_id) == {("build", "v"): "2"}


def test_the_moment_an_approval_was_asked_for_is_kept(store: Store, history: History) -> None:
    run_id = store.new_run()
    store.change_stages(
        run_id, change("build", 0, StageStatus.PENDING, StageStatus.WAITING_APPROVAL)
    )
    (stage,) = history.stages(run_id)
    assert (stage.requested_at, stage.started_at) == (NOON, None)


def test_an_output_that_is_put_out_again_has_its_new_value(store: Store, history: History) -> None:
    run_id = store.started_run()
    retrying = change(
        "build", 0, StageStatus.RUNNING, StageStatus.RETRYING, outputs=(("v", "1"), ("w", "1"))
    )
    again = change("build", 0, StageStatus.RETRYING, StageStatus.RUNNING)
    ending = change("build", 0, StageStatus.RUNNING, StageStatus.SUCCEEDED, outputs=(("v", "2"),))
    store.change_stages(run_id, retrying, again, ending)
    assert history.outputs(run_id) == {("build", "v"): "2", ("build", "w"): "1"}


@pytest.mark.parametrize(("before", "after"), product(StageStatus, repeat=2))
def test_a_stage_changes_only_as_the_table_of_transitions_says(
    store: Store, before: StageStatus, after: StageStatus
) -> None:
    run_id = store.new_run()
    force(store, run_id, "stages", before)
    if after in STAGE_TRANSITIONS[before]:
        store.change_stages(run_id, change("build", 0, before, after))
        assert statuses(store, run_id) == [after]
    else:
        with pytest.raises(StaleTransition, match=f"cannot go from {before} to {after}"):
            store.change_stages(run_id, change("build", 0, before, after))
        assert statuses(store, run_id) == [before]


@pytest.mark.parametrize(("before", "after"), product(RunStatus, repeat=2))
def test_a_run_changes_only_as_the_table_of_transitions_says(
    store: Store, before: RunStatus, after: RunStatus
) -> None:
    run_id = store.new_run()
    force(store, run_id, "runs", before)
    if after in RUN_TRANSITIONS[before]:
        store.change_run(run_id, before, after)
    else:
        with pytest.raises(StaleTransition, match=f"cannot go from {before} to {after}"):
            store.change_run(run_id, before, after)
        after = before
    assert store.select("SELECT status FROM runs") == [(after,)]


def test_a_stage_in_another_status_than_expected_is_not_changed(store: Store) -> None:
    run_id = store.started_run()
    with pytest.raises(StaleTransition, match=f"not in the status .*show {run_id}"):
        store.change_stages(run_id, starting())
    assert statuses(store, run_id) == ["running"]


def test_a_run_in_another_status_than_expected_is_not_changed(store: Store) -> None:
    run_id = store.ended_run()
    with pytest.raises(StaleTransition, match="is no longer running"):
        store.change_run(run_id, RunStatus.RUNNING, RunStatus.FAILED)
    assert store.select("SELECT status FROM runs") == [("succeeded",)]


def test_only_the_owner_of_a_run_changes_it_and_its_stages(store: Store) -> None:
    run_id = store.started_run()
    before = event_count(store)
    with pytest.raises(StaleTransition, match="taken over by another executor"):
        store.change_stages(run_id, succeeding(), epoch=SOMEBODY_ELSE)
    with pytest.raises(StaleTransition, match="another executor owns it"):
        store.change_run(run_id, RunStatus.RUNNING, RunStatus.FAILED, epoch=SOMEBODY_ELSE)
    assert (statuses(store, run_id), event_count(store)) == (["running"], before)


@pytest.mark.parametrize(
    "wrong",
    [
        starting("deploy", 1),
        change("deploy", 1, StageStatus.PENDING, StageStatus.SUCCEEDED),
        change("nobody", 9, StageStatus.RUNNING, StageStatus.SUCCEEDED),
    ],
    ids=["wrong status", "illegal transition", "no such stage"],
)
def test_of_changes_made_together_all_are_made_or_none(store: Store, wrong: object) -> None:
    run_id = store.started_run("build", "deploy")
    before = event_count(store)
    good = change("build", 0, StageStatus.RUNNING, StageStatus.SUCCEEDED, outputs=(("v", "1"),))
    with pytest.raises(StaleTransition):
        store.change_stages(run_id, good, wrong)  # type: ignore[arg-type]
    assert statuses(store, run_id) == ["running", "running"]
    assert store.select("SELECT * FROM outputs") == []
    assert event_count(store) == before


def test_a_stage_may_take_several_steps_in_one_change(store: Store) -> None:
    run_id = store.new_run()
    waiting = change("build", 0, StageStatus.PENDING, StageStatus.WAITING_APPROVAL)
    approved = change("build", 0, StageStatus.WAITING_APPROVAL, StageStatus.RUNNING)
    store.change_stages(run_id, waiting, approved, succeeding())
    assert statuses(store, run_id) == ["succeeded"]


def test_no_changes_are_no_trouble(store: Store) -> None:
    run_id = store.new_run()
    before = event_count(store)
    store.change_stages(run_id)
    assert event_count(store) == before


def test_a_run_is_taken_over_once_and_the_other_one_is_told_by_whom(store: Store) -> None:
    run_id = store.new_run(epoch=SOMEBODY_ELSE)
    first, late = (
        partial(
            take_over,
            run_id=run_id,
            seen=SOMEBODY_ELSE,
            status=RunStatus.PENDING,
            takeover=taking(epoch),
        )
        for epoch in (store.epoch, 1)
    )
    store.database.write(first)
    with pytest.raises(StaleTransition, match="by ben at 2026-05-04 12:00:00 UTC: it hangs"):
        store.database.write(late)
    store.change_stages(run_id, starting())


def test_a_run_that_went_on_since_it_was_seen_is_not_taken_over(store: Store) -> None:
    run_id = store.started_run(epoch=SOMEBODY_ELSE)
    late = partial(
        take_over,
        run_id=run_id,
        seen=SOMEBODY_ELSE,
        status=RunStatus.INTERRUPTED,
        takeover=taking(store.epoch),
    )
    with pytest.raises(StaleTransition, match=f"Run {run_id} is running by now"):
        store.database.write(late)


@pytest.mark.parametrize("run_id", [1, 99])
def test_who_does_not_own_a_run_is_told(store: Store, run_id: int) -> None:
    store.new_run()
    store.database.write(lambda c: check_owner(c, 1, store.epoch))
    with pytest.raises(StaleTransition):
        store.database.write(lambda c: check_owner(c, run_id, SOMEBODY_ELSE))
