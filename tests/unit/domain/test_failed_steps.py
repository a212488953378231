"""What is said of a step that failed."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.events import RollbackStep


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
