"""The tables of legal changes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    ENDED_RUNS,
    ENDED_STAGES,
    ROLLBACK_TRANSITIONS,
    RUN_TRANSITIONS,
    SETTLED_STEPS,
    STAGE_TRANSITIONS,
    STEP_TRANSITIONS,
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
    StepStatus,
    standing,
)
from orchestrate_tui.domain.step_decision import StepAction

Table = Mapping[Any, frozenset[Any]]
TABLES = pytest.mark.parametrize(
    ("table", "states"),
    [
        (STAGE_TRANSITIONS, StageStatus),
        (RUN_TRANSITIONS, RunStatus),
        (ROLLBACK_TRANSITIONS, RollbackStatus),
        (STEP_TRANSITIONS, StepStatus),
    ],
    ids=["stage", "run", "rollback", "step"],
)


def reachable(table: Table, start: StrEnum) -> set[StrEnum]:
    found, waiting = {start}, [start]
    while waiting:
        after = table[waiting.pop()] - found
        found |= after
        waiting.extend(after)
    return found


class TestEveryTable:
    @TABLES
    def test_every_state_has_its_line(self, table: Table, states: type[StrEnum]) -> None:
        assert set(table) == set(states)

    @TABLES
    def test_every_state_is_reached_from_pending(self, table: Table, states: type[StrEnum]) -> None:
        assert reachable(table, states["PENDING"]) == set(states)

    @TABLES
    def test_no_state_changes_to_itself_or_back_to_pending(
        self, table: Table, states: type[StrEnum]
    ) -> None:
        assert all(status not in after for status, after in table.items())
        assert all(states["PENDING"] not in after for after in table.values())

    @TABLES
    def test_from_every_state_the_end_is_reached(self, table: Table, states: type[StrEnum]) -> None:
        final = {status for status, after in table.items() if not after}
        assert all(reachable(table, status) & final for status in states)

    @TABLES
    def test_a_table_cannot_be_altered(self, table: Any, states: type[StrEnum]) -> None:
        with pytest.raises(TypeError):
            table[states["PENDING"]] = frozenset()


class TestStages:
    def test_an_ended_stage_changes_only_by_a_rollback(self) -> None:
        for status in ENDED_STAGES:
            assert STAGE_TRANSITIONS[status] <= {StageStatus.ROLLED_BACK}

    def test_every_other_stage_still_changes_by_itself(self) -> None:
        for status in set(StageStatus) - ENDED_STAGES:
            assert STAGE_TRANSITIONS[status] - {StageStatus.ROLLED_BACK}

    @pytest.mark.parametrize(
        "status",
        [
            StageStatus.PENDING,
            StageStatus.WAITING_APPROVAL,
            StageStatus.REJECTED,
            StageStatus.SKIPPED,
            StageStatus.RUNNING,
            StageStatus.RETRYING,
        ],
    )
    def test_what_did_not_run_or_still_runs_is_not_undone(self, status: StageStatus) -> None:
        assert StageStatus.ROLLED_BACK not in STAGE_TRANSITIONS[status]

    def test_a_stage_is_rejected_only_while_it_waits_for_approval(self) -> None:
        before = {one for one, after in STAGE_TRANSITIONS.items() if StageStatus.REJECTED in after}
        assert before == {StageStatus.WAITING_APPROVAL}

    def test_a_stage_that_did_not_start_is_skipped_not_cancelled(self) -> None:
        for status in (StageStatus.PENDING, StageStatus.WAITING_APPROVAL):
            assert StageStatus.SKIPPED in STAGE_TRANSITIONS[status]
            assert StageStatus.CANCELLED not in STAGE_TRANSITIONS[status]

    def test_a_retry_delay_can_end_at_once(self) -> None:
        assert STAGE_TRANSITIONS[StageStatus.RETRYING] >= {
            StageStatus.FAILED,
            StageStatus.CANCELLED,
        }

    def test_an_interrupted_stage_can_go_on_or_be_undone(self) -> None:
        assert STAGE_TRANSITIONS[StageStatus.INTERRUPTED] >= {
            StageStatus.RUNNING,
            StageStatus.ROLLED_BACK,
        }


class TestRuns:
    def test_ended_runs_are_final(self) -> None:
        assert {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED} == ENDED_RUNS
        assert all(not RUN_TRANSITIONS[status] for status in ENDED_RUNS)

    def test_an_interrupted_run_can_go_on(self) -> None:
        assert RunStatus.RUNNING in RUN_TRANSITIONS[RunStatus.INTERRUPTED]

    def test_a_run_whose_executor_died_before_its_first_stage_is_interrupted(self) -> None:
        assert RunStatus.INTERRUPTED in RUN_TRANSITIONS[RunStatus.PENDING]


class TestRollbacks:
    def test_ended_rollbacks_are_final(self) -> None:
        assert {RollbackStatus.SUCCEEDED, RollbackStatus.FAILED} == ENDED_ROLLBACKS
        assert all(not ROLLBACK_TRANSITIONS[status] for status in ENDED_ROLLBACKS)

    def test_a_rollback_succeeds_only_when_it_ran(self) -> None:
        assert RollbackStatus.SUCCEEDED not in ROLLBACK_TRANSITIONS[RollbackStatus.PENDING]

    def test_the_plan_of_a_waiting_rollback_may_fail_it(self) -> None:
        assert RollbackStatus.FAILED in ROLLBACK_TRANSITIONS[RollbackStatus.PENDING]

    def test_a_step_that_is_done_stays_done(self) -> None:
        assert {StepStatus.SUCCEEDED, StepStatus.SKIPPED, StepStatus.DONE} == SETTLED_STEPS

    def test_only_an_operator_takes_a_failed_step_further(self) -> None:
        assert STEP_TRANSITIONS[StepStatus.FAILED] == {one.status for one in StepAction}

    def test_an_interrupted_step_can_be_repeated(self) -> None:
        assert StepStatus.RUNNING in STEP_TRANSITIONS[StepStatus.INTERRUPTED]


def test_the_values_that_other_programs_read_stay_word_for_word() -> None:
    assert [str(status) for status in RollbackStatus] == [
        "pending",
        "running",
        "succeeded",
        "failed",
    ]
    assert [str(kind) for kind in RollbackTriggerType] == ["automatic", "manual"]
    assert {str(status) for status in StageStatus} >= {"skipped", "rolled_back"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RunStatus.RUNNING, "is running"),
        (RunStatus.INTERRUPTED, "is interrupted"),
        (RunStatus.SUCCEEDED, "succeeded"),
        (RunStatus.CANCELLED, "was cancelled"),
        (RollbackStatus.PENDING, "is pending"),
        (RollbackStatus.FAILED, "failed"),
    ],
)
def test_a_sentence_says_how_something_stands(
    status: RunStatus | RollbackStatus, words: str
) -> None:
    assert standing(status) == words
