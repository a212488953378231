"""A rollback event, and the moments that it keeps."""

from __future__ import annotations

import shlex
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import from_text, spoken, to_text, utc_now
from orchestrate_tui.domain.status import RollbackStatus, RollbackTriggerType

AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
EVENT = RollbackEvent(
    run_id=7,
    failed_stage_name="smoke",
    rollback_to_stage="deploy",
    trigger_type=RollbackTriggerType.MANUAL,
    created_at=AT,
    id=3,
    actor="kim",
    reason="broken",
)


class TestEvent:
    def test_a_new_one_is_pending_and_dated_now(self) -> None:
        before = utc_now()
        event = RollbackEvent(
            run_id=1,
            failed_stage_name="b",
            rollback_to_stage="a",
            trigger_type=RollbackTriggerType.AUTOMATIC,
        )
        assert event.status is RollbackStatus.PENDING
        assert before <= event.created_at <= utc_now()
        assert (event.id, event.started_at, event.completed_at) == (None, None, None)

    def test_marking_it_running_returns_a_new_event(self) -> None:
        assert EVENT.mark_running(AT) == replace(
            EVENT, status=RollbackStatus.RUNNING, started_at=AT
        )
        assert EVENT.status is RollbackStatus.PENDING

    def test_marking_it_succeeded_returns_a_new_event(self) -> None:
        running = EVENT.mark_running(AT)
        later = AT + timedelta(seconds=5)
        assert running.mark_succeeded(later) == replace(
            running, status=RollbackStatus.SUCCEEDED, completed_at=later
        )
        assert running.status is RollbackStatus.RUNNING

    def test_marking_it_failed_returns_a_new_event_that_says_why(self) -> None:
        assert EVENT.mark_failed("the undo failed", AT) == replace(
            EVENT,
            status=RollbackStatus.FAILED,
            error_message="the undo failed",
            completed_at=AT,
        )
        assert EVENT.error_message is None

    def test_without_a_moment_it_is_now(self) -> None:
        before = utc_now()
        running, succeeded = EVENT.mark_running(), EVENT.mark_succeeded()
        failed = EVENT.mark_failed("x")
        for moment in (running.started_at, succeeded.completed_at, failed.completed_at):
            assert moment is not None
            assert before <= moment <= utc_now()

    def test_an_ended_event_waits_for_nobody(self) -> None:
        waiting = replace(EVENT.mark_running(AT), waiting_since=AT)
        assert waiting.mark_succeeded(AT).waiting_since is None
        assert waiting.mark_failed("halted", AT).waiting_since is None

    def test_an_event_cannot_be_altered(self) -> None:
        with pytest.raises(FrozenInstanceError):
            EVENT.status = RollbackStatus.FAILED  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            (EVENT, ""),
            (replace(EVENT, cascade=False), "deploy alone"),
            (replace(EVENT, components=("api", "web")), "only api, web"),
            (replace(EVENT, cascade=False, components=("api",)), "deploy alone, only api"),
        ],
    )
    def test_it_says_to_what_it_was_narrowed(self, event: RollbackEvent, told: str) -> None:
        assert event.narrowing == told

    def test_the_executor_stands_for_nobody(self) -> None:
        assert EVENT.instigator == "kim"
        assert replace(EVENT, actor="").instigator == "the executor"

    def test_the_command_that_repeats_it_can_be_pasted_into_a_shell(self) -> None:
        odd = replace(EVENT, failed_stage_name="smoke test", rollback_to_stage="it's")
        assert shlex.split(odd.again) == [
            "orchestrate-tui", "rollback", "7", "--from", "smoke test", "--to", "it's",
            "--retry", "--reason", "TEXT",
        ]  # fmt: skip


class TestMoments:
    def test_the_present_is_aware_and_in_utc(self) -> None:
        assert utc_now().tzinfo is UTC

    def test_a_moment_is_written_with_six_digits_and_a_z(self) -> None:
        assert to_text(AT) == "2024-05-01T12:30:00.000000Z"

    def test_a_moment_of_another_zone_is_written_in_utc(self) -> None:
        east = AT.astimezone(timezone(timedelta(hours=2)))
        assert to_text(east) == to_text(AT)

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_what_is_written_is_read_back(self, moment: datetime) -> None:
        assert from_text(to_text(moment)) == moment
        assert from_text(to_text(moment)).tzinfo is UTC

    @given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
    def test_texts_sort_as_their_moments(self, one: datetime, other: datetime) -> None:
        assert (to_text(one) < to_text(other)) == (one < other)

    def test_a_moment_is_told_to_people_in_utc_to_the_second(self) -> None:
        east = AT.astimezone(timezone(timedelta(hours=2)))
        assert spoken(east) == "2024-05-01 12:30:00 UTC"

    @pytest.mark.parametrize("text", ["", "yesterday", "2024-05-01T12:30:00", "2024-05-01"])
    def test_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"\S"):
            from_text(text)
