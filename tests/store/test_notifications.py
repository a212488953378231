"""Whom a change is told: noted with it, taken when it is due, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.notification import DeliveryStatus
from orchestrate_tui.domain.notifying import EscalationStep, NotifyRule, Occasion
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.fencing import take_over
from orchestrate_tui.store.record import record
from tests.store.scenery import NOON, Store, change, rollback_of, taking
from tests.store.telling import ALL, ESCALATING, Told, minutes

SOON = (EscalationStep(after_s=60, to=("B",)),)


@pytest.fixture
def noted(store: Store) -> Iterator[list[str]]:
    """A word for each time that whoever tells people was called."""
    calls: list[str] = []
    store.database.call_when_noted(lambda: calls.append("called"))
    yield calls
    store.database.call_when_noted(lambda: None)


def test_a_failed_run_is_noted_with_its_failure(store: Store, noted: list[str]) -> None:
    told = Told(store, ALL)
    assert (told.all, noted) == ((), [])
    told.fail()
    assert (told.one.occasion, noted) == (Occasion.RUN_FAILED, ["called"])
    assert (told.one.epoch, told.one.due_at) == (store.epoch, NOON)


def test_what_nobody_wants_to_know_is_not_noted(store: Store, noted: list[str]) -> None:
    quiet, asked = Told(store), Told(store, NotifyRule(to=("A",), on=(Occasion.BREAKER_TRIPPED,)))
    quiet.fail()
    asked.fail()
    assert (quiet.all, asked.all, noted) == ((), (), [])


def test_nobody_is_told_of_a_simulation(store: Store) -> None:
    told = Told(store, ALL, simulated=True)
    told.fail()
    assert told.all == ()


def roll_back(told: Told, *marks: str) -> int:
    """A rollback that was marked so, one after the other; its id."""
    database = told.store.database
    event = rollback_of(told.run_id, epoch=told.store.epoch)
    identity = database.write(partial(rollbacks.insert, event=event))
    for marked in marks:
        stored = database.read(partial(rollbacks.read, rollback_id=identity))
        database.write(partial(rollbacks.update, event=getattr(stored, marked)(NOON)))
    return identity


def test_rollbacks_are_told_as_they_start_and_end_however_soon(store: Store) -> None:
    told = Told(store, NotifyRule(to=("A",), escalate=SOON))
    identity = roll_back(told, "mark_running", "mark_succeeded")
    ended, started = told.all
    assert (started.occasion, started.rollback_id) == (Occasion.ROLLBACK_STARTED, identity)
    assert (ended.occasion, ended.ended_at) == (Occasion.ROLLBACK_SUCCEEDED, None)
    assert told.channels() == ["A", "A"]
    assert [one.outcome for one in told.all] == ["", "the rollback has succeeded"]
    assert told.channels(minutes(2)) == ["B"]


def test_others_are_not_told_that_a_rollback_has_started_once_it_has_ended(store: Store) -> None:
    started = NotifyRule(to=("A",), on=(Occasion.ROLLBACK_STARTED,), escalate=SOON)
    told = Told(store, started)
    identity = roll_back(told, "mark_running")
    assert told.channels() == ["A"]
    stored = store.database.read(partial(rollbacks.read, rollback_id=identity))
    store.database.write(partial(rollbacks.update, event=stored.mark_failed("no", NOON)))
    assert told.one.outcome == "the rollback has failed"
    assert told.channels(minutes(2)) == []


def test_whoever_records_that_the_breaker_tripped_has_it_told(store: Store) -> None:
    told = Told(store, ALL)
    tripped: dict[str, Any] = {"to_status": "tripped", "detail": "3 in an hour"}
    store.database.write(
        lambda connection: record(connection, told.run_id, to_text(NOON), "breaker", **tripped)
    )
    assert (told.one.occasion, told.one.detail) == (Occasion.BREAKER_TRIPPED, "3 in an hour")
    reset: dict[str, Any] = {"from_status": "tripped", "to_status": "reset", "actor": "ben"}
    store.database.write(
        lambda connection: record(connection, told.run_id, to_text(NOON), "breaker", **reset)
    )
    assert told.one.outcome == "the breaker was reset by ben"


def test_the_decision_ends_what_is_told_of_an_approval(store: Store) -> None:
    told = Told(store, NotifyRule(to=("A",), escalate=SOON))
    told.ask()
    assert told.channels() == ["A"]
    assert told.is_open()
    waiting, running = StageStatus.WAITING_APPROVAL, StageStatus.RUNNING
    store.change_stages(told.run_id, change("build", 0, waiting, running, attempt=1))
    assert (told.one.outcome, told.is_open()) == ("the stage is running", False)
    assert told.channels(minutes(2)) == []


def test_an_escalation_goes_on_while_nobody_acknowledges_it(store: Store) -> None:
    told = Told(store, ESCALATING)
    told.fail()
    times = (0, 9, 10, 39, 40, 50, 500)
    assert [told.channels(minutes(at)) for at in times] == [
        ["FIRST"], [], ["SECOND", "BOSS"], [], ["FIRST"], ["SECOND", "BOSS"], [],
    ]  # fmt: skip
    assert (told.one.outcome, told.is_open()) == ("everybody was told", False)


def test_a_step_is_due_at_its_time_and_not_before(store: Store) -> None:
    told = Told(store, ESCALATING)
    told.fail()
    told.channels()
    assert [told.is_due(minutes(at)) for at in (9.9, 10)] == [False, True]


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer_than_was_meant(
    store: Store,
) -> None:
    told = Told(store, ESCALATING)
    told.fail()
    hours_back = (-300, -291, -289, -1000)
    said = [told.is_due(minutes(at)) and told.channels(minutes(at)) for at in hours_back]
    assert said == [["FIRST"], False, ["SECOND", "BOSS"], ["FIRST"]]


def test_a_clock_that_is_set_back_delays_no_second_try(store: Store) -> None:
    told = Told(store, ALL)
    told.fail()
    for at in (0, -300, -600):
        assert told.is_due(minutes(at))
        ((one, delivery),) = told.take(minutes(at))
        assert not told.is_due(minutes(at))
        told.note(one, delivery, "no answer", minutes(at))
    assert not told.is_open()


def test_acknowledging_ends_all_that_is_told_of_a_run(store: Store) -> None:
    told = Told(store, ESCALATING, ALL)
    told.fail()
    told.channels()
    told.acknowledge()
    assert not told.is_open()
    assert told.all[1].outcome == "acknowledged by ben"
    assert told.channels(minutes(60)) == []


def test_what_is_told_of_a_run_that_goes_on_is_acknowledged_as_well(store: Store) -> None:
    told = Told(store, NotifyRule(to=("A",), escalate=SOON))
    told.ask()
    told.acknowledge()
    assert told.one.outcome == "acknowledged by ben"
    with pytest.raises(Refused, match="nothing to acknowledge"):
        told.acknowledge()


def test_what_was_acknowledged_before_it_was_sent_is_dropped(store: Store) -> None:
    told = Told(store, ALL)
    told.fail()
    ((one, delivery),) = told.take()
    told.note(one, delivery, "no answer")
    told.acknowledge()
    assert [one.status for one in told.one.deliveries] == [DeliveryStatus.DROPPED]


def test_a_delivery_that_failed_is_tried_again_twice(store: Store) -> None:
    told = Told(store, ALL)
    told.fail()
    for at, attempt in ((0, 1), (1, 2), (3, 3)):
        assert told.is_due(minutes(at))
        ((one, delivery),) = told.take(minutes(at))
        assert delivery.attempt == attempt
        told.note(one, delivery, f"no answer to {attempt}", minutes(at))
    (delivery,) = told.one.deliveries
    assert (delivery.status, delivery.error) == (DeliveryStatus.FAILED, "no answer to 3")
    assert not told.is_open()


def test_every_delivery_and_its_error_is_an_event_of_the_run(store: Store) -> None:
    told = Told(store, ALL)
    told.fail()
    ((one, delivery),) = told.take()
    told.note(one, delivery, "no answer")
    told.channels(minutes(1))
    query = "SELECT to_status, attempt, detail FROM events WHERE kind = 'notification' ORDER BY id"
    assert store.select(query) == [
        ("failed", 1, "run.failed to TEAM: no answer"),
        ("sent", 2, "run.failed to TEAM"),
    ]


def test_whoever_takes_a_run_over_goes_on_telling(store: Store, noted: list[str]) -> None:
    told, other = Told(store, ESCALATING), Store.of(store.database)
    told.ask()
    told.fail()
    ((one, delivery),) = told.take()
    noted.clear()
    store.database.write(
        partial(
            take_over, run_id=told.run_id, seen=store.epoch, status=RunStatus.FAILED,
            takeover=taking(other.epoch),
        )
    )  # fmt: skip
    assert (told.take(minutes(20)), told.is_open()) == ((), False)
    assert [again.id for _, again in told.take(minutes(5), other.epoch)] == [delivery.id]
    told.note(one, delivery, "")  # the one before hears of its delivery too late
    assert [one.status for one in told.one.deliveries] == [DeliveryStatus.SENDING]
    assert noted
    other.owner.release()


def test_who_is_told_is_noted_only_if_the_change_is_committed(store: Store) -> None:
    told = Told(store, ALL)

    def fail_and_break(connection: Any) -> None:
        record(connection, told.run_id, to_text(NOON), "run", to_status="failed")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.database.write(fail_and_break)
    assert told.all == ()
