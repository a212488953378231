"""What is said of a step that failed, and what an operator decides of it."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.events import RollbackStep, failed_steps
from orchestrate_tui.domain.status import StepStatus
from orchestrate_tui.domain.step_decision import StepAction, StepDecision


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (1, "the undo of deploy[web] failed"),
        (2, "the undo of deploy[web] failed, attempt 2"),
    ],
)
def test_a_failure_tells_that_it_is_not_the_first(attempt: int, sentence: str) -> None:
    step = RollbackStep(
        rollback_id=1,
        position=0,
        stage_name="deploy",
        component="web",
        agent="a",
        task="t",
        attempt=attempt,
    )
    assert step.failure == sentence


def test_a_rollback_waits_for_the_steps_that_failed_and_for_no_others() -> None:
    steps = tuple(
        RollbackStep(
            rollback_id=1, position=n, stage_name=f"s{n}", agent="a", task="t", status=status
        )
        for n, status in enumerate(StepStatus)
    )
    assert [step.status for step in failed_steps(steps)] == [StepStatus.FAILED]


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (StepAction.RETRY, "tried again for kim: the host is back"),
        (StepAction.SKIP, "passed over by kim: the host is back"),
        (StepAction.DONE, "said to be undone by kim: the host is back"),
    ],
)
def test_a_decision_is_recorded_with_who_made_it_and_why(action: StepAction, sentence: str) -> None:
    assert StepDecision(action=action, actor="kim", reason="the host is back").sentence == sentence


def test_a_decision_for_another_process_is_whose_request_it_is() -> None:
    """The payload cannot say who decided: that is the account which made the request."""
    made = StepDecision(action=StepAction.SKIP, actor="kim", reason="later", stage_name="deploy")
    payload = made.to_payload(7)
    assert (payload["rollback"], "actor" in payload) == ("7", False)
    assert StepDecision.from_payload(payload, "kim") == made
