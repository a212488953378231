from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrate_tui.console.marks import (
    ALLOWED_FAILURE,
    SPINNER,
    Mark,
    rollback_mark,
    run_mark,
    stage_mark,
    step_mark,
)
from orchestrate_tui.console.text import cell_width
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.status import (
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
    StepStatus,
)

EVENT = RollbackEvent(
    run_id=1,
    failed_stage_name="test",
    rollback_to_stage="build",
    trigger_type=RollbackTriggerType.MANUAL,
)
STAGES = [*map(stage_mark, StageStatus), stage_mark(StageStatus.FAILED, may_fail=True)]
ROLLBACKS = [rollback_mark(replace(EVENT, status=status)) for status in RollbackStatus]


@pytest.mark.parametrize(
    "marks", [STAGES, [*map(run_mark, RunStatus)], ROLLBACKS, [*map(step_mark, StepStatus)]]
)
def test_a_status_is_told_by_its_glyph_alone(marks: list[Mark]) -> None:
    assert len({mark.glyph for mark in marks}) == len(marks)
    assert {cell_width(mark.glyph) for mark in marks} == {1}
    assert len({mark.word for mark in marks}) == len(marks)


def test_only_what_runs_moves() -> None:
    assert [mark.word for mark in STAGES if mark.moves] == ["running"]
    running = stage_mark(StageStatus.RUNNING)
    assert "".join(map(running.frame, range(5))) == SPINNER + SPINNER[0]
    assert stage_mark(StageStatus.FAILED).frame(3) == "✗"


def test_an_allowed_failure_does_not_look_like_a_failure() -> None:
    assert stage_mark(StageStatus.FAILED, may_fail=True) == ALLOWED_FAILURE
    assert stage_mark(StageStatus.SUCCEEDED, may_fail=True).word == "succeeded"


def test_a_rollback_that_waits_for_the_operator_says_so() -> None:
    waiting = replace(EVENT, status=RollbackStatus.RUNNING, waiting_since=datetime.now(UTC))
    assert rollback_mark(waiting).word == "waits for you"
