"""Rollback events and their steps: what is kept of them, and what the rules refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.status import (
    ROLLBACK_TRANSITIONS,
    STEP_TRANSITIONS,
    RollbackStatus,
    RollbackTriggerType,
    StageStatus,
    StepStatus,
)
from orchestrate_tui.errors import (
    NotFound,
    RollbackLoop,
    RollbackRefused,
    StaleTransition,
    StoreError,
)
from orchestrate_tui.store import (
    count_rollback_events_for_stage,
    get_rollback_event,
    insert_rollback_event,
    list_rollback_events,
    rollback_steps,
    rollbacks,
    update_rollback_event,
)
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.definitions import decode_plan, encode_plan
from orchestrate_tui.store.history import History
from orchestrate_tui.store.undone import mark_rolled_back
from tests.store.scenery import NOON, Store, rollback_of

LATER = NOON + timedelta(minutes=5)
SEED_COLUMNS = [
    "id",
    "run_id",
    "failed_stage_name",
    "rollback_to_stage",
    "trigger_type",
    "status",
    "error_message",
    "started_at",
    "completed_at",
    "created_at",
]
PLAN = RollbackPlan(
    failed_stage="deploy",
    target="build",
    steps=(
        PlanStep(stage_name="deploy", agent="robot", task="undo deploy"),
        PlanStep(stage_name="build", agent="robot", task="undo build"),
    ),
)


@pytest.fixture
def run_id(store: Store) -> int:
    return store.ended_run("build", "deploy")


def kept(store: Store, event: RollbackEvent) -> RollbackEvent:
    """The event as it is once it is stored."""
    return get_rollback_event(store.database, insert_rollback_event(store.database, event))


def running(store: Store, run_id: int) -> RollbackEvent:
    """A rollback that this executor carries out, with the steps of PLAN."""
    event = kept(store, rollback_of(run_id, epoch=store.epoch)).mark_running(NOON)
    update_rollback_event(store.database, event)
    store.database.write(lambda c: rollback_steps.insert_steps(c, event.id or 0, PLAN))
    return event


def change_step(
    store: Store, run_id: int, step: RollbackStep, status: StepStatus, epoch: int | None = None
) -> None:
    store.database.write(
        lambda c: rollback_steps.change_step(
            c, run_id, step, status, LATER, epoch=epoch or store.epoch, exit_code=3
        )
    )


def test_the_table_begins_with_exactly_the_agreed_columns(store: Store) -> None:
    columns = store.select("SELECT name FROM pragma_table_info('rollback_events') ORDER BY cid")
    assert [name for (name,) in columns][: len(SEED_COLUMNS)] == SEED_COLUMNS


@pytest.mark.parametrize("column", ["run_id", "status", "created_at"])
def test_the_table_is_indexed_by_what_is_asked_for(store: Store, column: str) -> None:
    first = store.select(
        "SELECT info.name FROM pragma_index_list('rollback_events') AS list,"
        " pragma_index_info(list.name) AS info WHERE info.seqno = 0 AND list.partial = 0"
    )
    assert (column,) in first


@pytest.mark.parametrize("column", ["status", "trigger_type"])
def test_the_table_takes_only_known_words(store: Store, run_id: int, column: str) -> None:
    kept(store, rollback_of(run_id))
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        store.execute(f"UPDATE rollback_events SET {column} = 'maybe'")


def test_an_event_is_read_as_it_was_stored(store: Store, run_id: int) -> None:
    event = rollback_of(
        run_id,
        trigger_type=RollbackTriggerType.AUTOMATIC,
        actor="alice",
        reason="smoke test failed",
        components=("api", "web"),
        accept_irreversible=True,
        waiting_since=LATER,
        plan=encode_plan(PLAN),
        plan_hash="abc",
        epoch=store.epoch,
    )
    stored = kept(store, event)
    assert stored == replace(event, id=stored.id)
    assert decode_plan(stored.plan) == PLAN


def test_a_rollback_that_was_not_planned_has_no_plan(store: Store, run_id: int) -> None:
    assert decode_plan(kept(store, rollback_of(run_id)).plan) is None


def test_an_event_goes_from_pending_through_running_to_succeeded(store: Store, run_id: int) -> None:
    event = kept(store, rollback_of(run_id))
    for after in (event.mark_running(NOON), event.mark_running(NOON).mark_succeeded(LATER)):
        update_rollback_event(store.database, after)
        assert get_rollback_event(store.database, event.id or 0) == after
    assert (after.started_at, after.completed_at, after.error_message) == (NOON, LATER, None)


def test_an_event_that_failed_says_why(store: Store, run_id: int, history: History) -> None:
    event = kept(store, rollback_of(run_id))
    update_rollback_event(store.database, event.mark_failed("undo of deploy failed", LATER))
    stored = get_rollback_event(store.database, event.id or 0)
    assert stored.status is RollbackStatus.FAILED
    assert stored.error_message == "undo of deploy failed"
    assert history.events(run_id)[-1].detail == "undo of deploy failed"


def test_every_change_of_status_leaves_one_event(
    store: Store, run_id: int, history: History
) -> None:
    event = kept(store, rollback_of(run_id, actor="bob", reason="bad release"))
    update_rollback_event(store.database, event.mark_running(NOON))
    update_rollback_event(store.database, replace(event.mark_running(NOON), waiting_since=LATER))
    update_rollback_event(store.database, event.mark_running(NOON).mark_succeeded(LATER))
    told = [one for one in history.events(run_id) if one.kind == "rollback"]
    assert [one.to_status for one in told] == ["pending", "running", "succeeded"]
    assert {(one.rollback_id, one.stage_name) for one in told} == {(event.id, "build")}
    assert (told[0].actor, told[0].detail) == ("bob", "bad release")


@pytest.mark.parametrize("before", RollbackStatus)
@pytest.mark.parametrize("after", RollbackStatus)
def test_an_event_changes_only_as_the_table_of_transitions_says(
    store: Store, run_id: int, before: RollbackStatus, after: RollbackStatus
) -> None:
    event = kept(store, rollback_of(run_id, status=before))
    if after is before or after in ROLLBACK_TRANSITIONS[before]:
        update_rollback_event(store.database, replace(event, status=after))
    else:
        with pytest.raises(StaleTransition, match=f"cannot go from {before} to {after}"):
            update_rollback_event(store.database, replace(event, status=after))
        after = before
    assert get_rollback_event(store.database, event.id or 0).status is after


def test_an_unknown_event_is_not_found(store: Store, run_id: int) -> None:
    with pytest.raises(NotFound, match=r"There is no rollback 9.*orchestrate-tui rollbacks"):
        get_rollback_event(store.database, 9)
    with pytest.raises(NotFound):
        update_rollback_event(store.database, rollback_of(run_id, id=9))


def test_an_event_that_was_never_stored_cannot_be_updated(store: Store, run_id: int) -> None:
    with pytest.raises(NotFound, match="was never stored"):
        update_rollback_event(store.database, rollback_of(run_id))


def test_a_rollback_of_an_unknown_run_is_refused(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no run 99"):
        insert_rollback_event(store.database, rollback_of(99))


def test_events_are_listed_newest_first_and_narrowed(store: Store, run_id: int) -> None:
    other = store.ended_run("build", "deploy")
    ids = [insert_rollback_event(store.database, rollback_of(run_id)) for _ in range(3)]
    last = insert_rollback_event(store.database, rollback_of(other, status=RollbackStatus.FAILED))

    def listed(*arguments: int, **narrowing: object) -> list[int | None]:
        found = list_rollback_events(store.database, *arguments, **narrowing)  # type: ignore[arg-type]
        return [event.id for event in found]

    assert listed() == [last, *reversed(ids)]
    assert listed(run_id) == [*reversed(ids)]
    assert listed(status=RollbackStatus.FAILED) == [last]
    assert listed(limit=2) == [last, ids[2]]
    assert listed(before=ids[2]) == [ids[1], ids[0]]
    assert listed(run_id, status=RollbackStatus.PENDING, before=ids[1], limit=5) == [ids[0]]
    assert listed(other, status=RollbackStatus.PENDING) == []


def test_targets_are_counted_per_run_whatever_became_of_them(store: Store, run_id: int) -> None:
    other = store.ended_run("build", "deploy")
    for status in (RollbackStatus.PENDING, RollbackStatus.FAILED, RollbackStatus.SUCCEEDED):
        insert_rollback_event(store.database, rollback_of(run_id, status=status))
    insert_rollback_event(store.database, rollback_of(other))

    def count(run: int, stage: str) -> int:
        return count_rollback_events_for_stage(store.database, run, stage)

    assert (count(run_id, "build"), count(other, "build")) == (3, 1)
    assert (count(run_id, "deploy"), count(99, "build")) == (0, 0)


def test_a_stage_that_was_a_target_once_is_refused_as_one(store: Store, run_id: int) -> None:
    store.database.read(lambda c: rollbacks.check_loop(c, run_id, "build"))
    insert_rollback_event(store.database, rollback_of(run_id, status=RollbackStatus.FAILED))
    insert_rollback_event(store.database, rollback_of(run_id, status=RollbackStatus.SUCCEEDED))
    message = r"Rollback loop detected: stage 'build' has already been rolled back to 2 time\(s\)"
    with pytest.raises(RollbackLoop, match=message):
        store.database.read(lambda c: rollbacks.check_loop(c, run_id, "build"))
    store.database.read(lambda c: rollbacks.check_loop(c, run_id, "deploy"))


def test_a_rollback_under_way_is_named_with_its_actor(store: Store, run_id: int) -> None:
    store.database.read(lambda c: rollbacks.check_none_under_way(c, run_id))
    event = kept(store, rollback_of(run_id, actor="bob"))
    for status in ("pending", "running"):
        message = f"Rollback {event.id} by bob of run {run_id} is {status}"
        with pytest.raises(RollbackRefused, match=message):
            store.database.read(lambda c: rollbacks.check_none_under_way(c, run_id))
        update_rollback_event(store.database, event.mark_running(NOON))
    update_rollback_event(store.database, event.mark_running(NOON).mark_succeeded(LATER))
    store.database.read(lambda c: rollbacks.check_none_under_way(c, run_id))


def test_only_one_rollback_of_a_run_is_running(store: Store, run_id: int) -> None:
    first, second = kept(store, rollback_of(run_id)), kept(store, rollback_of(run_id))
    elsewhere = kept(store, rollback_of(store.ended_run("build", "deploy")))
    for event in (first, elsewhere):
        update_rollback_event(store.database, event.mark_running(NOON))
    refusal = f"Another rollback of run {run_id} is running"
    with pytest.raises(RollbackRefused, match=refusal):
        update_rollback_event(store.database, second.mark_running(NOON))
    with pytest.raises(RollbackRefused, match=refusal):
        insert_rollback_event(store.database, rollback_of(run_id, status=RollbackStatus.RUNNING))
    assert get_rollback_event(store.database, second.id or 0) == second


def test_a_rollback_is_repeated_once(store: Store, run_id: int) -> None:
    failed = kept(store, rollback_of(run_id, status=RollbackStatus.FAILED))
    insert_rollback_event(store.database, rollback_of(run_id, retry_of=failed.id))
    with pytest.raises(RollbackRefused, match=f"Rollback {failed.id} was repeated before"):
        insert_rollback_event(store.database, rollback_of(run_id, retry_of=failed.id))
    with pytest.raises(NotFound, match="There is no rollback 99"):
        insert_rollback_event(store.database, rollback_of(run_id, retry_of=99))
    assert len(list_rollback_events(store.database)) == 2


def test_the_steps_of_a_plan_wait_in_its_order(store: Store, run_id: int, history: History) -> None:
    event = running(store, run_id)
    steps = history.steps(event.id or 0)
    assert [(step.position, step.stage_name, step.task) for step in steps] == [
        (0, "deploy", "undo deploy"),
        (1, "build", "undo build"),
    ]
    assert {step.status for step in steps} == {StepStatus.PENDING}


def test_a_step_goes_its_way_and_is_recorded(store: Store, run_id: int, history: History) -> None:
    event = running(store, run_id)
    step = replace(history.steps(event.id or 0)[0], attempt=1)
    change_step(store, run_id, step, StepStatus.RUNNING)
    change_step(store, run_id, replace(step, status=StepStatus.RUNNING), StepStatus.SUCCEEDED)
    done = history.steps(event.id or 0)[0]
    assert (done.status, done.attempt, done.exit_code) == (StepStatus.SUCCEEDED, 1, 3)
    assert (done.started_at, done.completed_at) == (LATER, LATER)
    told = [one for one in history.events(run_id) if one.kind == "step"]
    assert [(one.from_status, one.to_status) for one in told] == [
        ("pending", "running"),
        ("running", "succeeded"),
    ]


@pytest.mark.parametrize("before", StepStatus)
@pytest.mark.parametrize("after", StepStatus)
def test_a_step_changes_only_as_the_table_of_transitions_says(
    store: Store, run_id: int, history: History, before: StepStatus, after: StepStatus
) -> None:
    event = running(store, run_id)
    store.execute("UPDATE rollback_steps SET status = ? WHERE position = 0", before)
    step = history.steps(event.id or 0)[0]
    if after is before or after in STEP_TRANSITIONS[before]:
        change_step(store, run_id, step, after)
    else:
        with pytest.raises(StaleTransition, match=f"cannot go from {before} to {after}"):
            change_step(store, run_id, step, after)
        after = before
    assert history.steps(event.id or 0)[0].status is after


def test_a_step_in_another_status_than_expected_is_not_changed(
    store: Store, run_id: int, history: History
) -> None:
    event = running(store, run_id)
    step = history.steps(event.id or 0)[1]
    change_step(store, run_id, step, StepStatus.RUNNING)
    with pytest.raises(StaleTransition, match="Step 2 of rollback 1 is no longer pending"):
        change_step(store, run_id, step, StepStatus.RUNNING)


def test_only_who_carries_a_rollback_out_changes_its_steps(
    store: Store, run_id: int, history: History
) -> None:
    event = running(store, run_id)
    step = history.steps(event.id or 0)[0]
    with pytest.raises(StaleTransition, match="taken over by another executor"):
        change_step(store, run_id, step, StepStatus.RUNNING, epoch=4711)
    assert history.steps(event.id or 0)[0] == step


def test_the_steps_of_an_ended_rollback_do_not_change(
    store: Store, run_id: int, history: History
) -> None:
    event = running(store, run_id)
    update_rollback_event(store.database, event.mark_failed("halted", LATER))
    step = history.steps(event.id or 0)[0]
    with pytest.raises(StaleTransition, match=f"Rollback {event.id} has ended: it failed"):
        change_step(store, run_id, step, StepStatus.RUNNING)


def test_an_undone_stage_names_the_rollback_that_undid_it(
    store: Store, run_id: int, history: History
) -> None:
    event = running(store, run_id)
    store.database.write(lambda c: mark_rolled_back(c, run_id, "deploy", event.id or 0, LATER))
    build, deploy = history.stages(run_id)
    assert (deploy.status, deploy.rolled_back_by) == (StageStatus.ROLLED_BACK, event.id)
    assert (build.status, build.rolled_back_by) == (StageStatus.SUCCEEDED, None)
    told = history.events(run_id)[-1]
    assert (told.from_status, told.to_status) == ("succeeded", "rolled_back")
    assert (told.rollback_id, told.detail) == (event.id, f"undone by rollback {event.id}")


def test_a_stage_that_did_not_run_or_is_undone_cannot_be_rolled_back(
    store: Store, run_id: int
) -> None:
    event = running(store, run_id)

    def mark(run: int, stage: str) -> None:
        store.database.write(lambda c: mark_rolled_back(c, run, stage, event.id or 0, LATER))

    mark(run_id, "deploy")
    with pytest.raises(StaleTransition, match="'deploy' is rolled_back"):
        mark(run_id, "deploy")
    with pytest.raises(StaleTransition, match="'build' is pending and cannot be rolled back"):
        mark(store.new_run("build"), "build")
    with pytest.raises(NotFound, match=f"Run {run_id} has no stage 'nobody'"):
        mark(run_id, "nobody")


def test_a_manual_rollback_without_an_actor_is_the_users(store: Store, run_id: int) -> None:
    manual = replace(rollback_of(run_id), trigger_type=RollbackTriggerType.MANUAL, actor="")
    assert kept(store, manual).actor == current_user()
    assert kept(store, replace(manual, actor="ann")).actor == "ann"
