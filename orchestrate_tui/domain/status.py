"""The states of stages, runs, rollbacks and rollback steps, and the one table of legal changes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class StageStatus(StrEnum):
    """What became of one stage of one run."""

    PENDING = "pending"
    """Waits for its dependencies or for a free place."""
    WAITING_APPROVAL = "waiting_approval"
    """Its dependencies ended well; people have to approve it."""
    RUNNING = "running"
    """An attempt is under way."""
    RETRYING = "retrying"
    """An attempt failed; the next one starts after the retry delay."""
    SUCCEEDED = "succeeded"
    """Its agent did the work."""
    FAILED = "failed"
    """Its last permitted attempt failed or timed out."""
    REJECTED = "rejected"
    """Its approval was rejected or expired; it did not run."""
    SKIPPED = "skipped"
    """It did not run: its condition was false, it may not, or the run ended before its turn."""
    CANCELLED = "cancelled"
    """It was running and was stopped."""
    INTERRUPTED = "interrupted"
    """It was running when its executor died; how far it came is unknown."""
    ROLLED_BACK = "rolled_back"
    """It ran and a rollback has undone it."""


class RunStatus(StrEnum):
    """What became of one run of a pipeline."""

    PENDING = "pending"
    """Recorded; no stage has been considered yet."""
    RUNNING = "running"
    """An executor works on it."""
    SUCCEEDED = "succeeded"
    """Every stage ended well, or failed and was allowed to."""
    FAILED = "failed"
    """A stage failed, was rejected, or an automatic rollback ran."""
    CANCELLED = "cancelled"
    """An operator stopped it."""
    INTERRUPTED = "interrupted"
    """Its executor died; `resume` continues it."""


class RollbackStatus(StrEnum):
    """What became of one rollback of one run."""

    PENDING = "pending"
    """Recorded; waits for an earlier rollback or for stages to stop."""
    RUNNING = "running"
    """Its steps are being executed."""
    SUCCEEDED = "succeeded"
    """Every step is done."""
    FAILED = "failed"
    """A step failed, an operator halted it, or its plan could not be carried out."""


class StepStatus(StrEnum):
    """What became of one step of a rollback."""

    PENDING = "pending"
    """Not started."""
    RUNNING = "running"
    """Its undo is under way."""
    SUCCEEDED = "succeeded"
    """Its undo is done."""
    FAILED = "failed"
    """Its undo failed, timed out or was halted."""
    INTERRUPTED = "interrupted"
    """Its undo was under way when the executor died."""
    RETRYING = "retrying"
    """It failed, and an operator has it tried again."""
    SKIPPED = "skipped"
    """It failed, and an operator passed over it: what it was to undo stays."""
    DONE = "done"
    """It failed, and an operator says that it is undone all the same."""


class RollbackTriggerType(StrEnum):
    """Who asked for a rollback."""

    AUTOMATIC = "automatic"
    """A stage with `on_failure: rollback` failed for good."""
    MANUAL = "manual"
    """An operator."""


S = StageStatus
STAGE_TRANSITIONS: Mapping[StageStatus, frozenset[StageStatus]] = MappingProxyType(
    {
        S.PENDING: frozenset({S.WAITING_APPROVAL, S.RUNNING, S.SKIPPED}),
        S.WAITING_APPROVAL: frozenset({S.RUNNING, S.REJECTED, S.SKIPPED}),
        S.RUNNING: frozenset(
            {S.SUCCEEDED, S.FAILED, S.RETRYING, S.CANCELLED, S.INTERRUPTED, S.SKIPPED}
        ),
        S.RETRYING: frozenset({S.RUNNING, S.FAILED, S.CANCELLED}),
        S.INTERRUPTED: frozenset({S.RUNNING, S.SUCCEEDED, S.FAILED, S.CANCELLED, S.ROLLED_BACK}),
        S.SUCCEEDED: frozenset({S.ROLLED_BACK}),
        S.FAILED: frozenset({S.ROLLED_BACK}),
        S.CANCELLED: frozenset({S.ROLLED_BACK}),
        S.REJECTED: frozenset(),
        S.SKIPPED: frozenset(),
        S.ROLLED_BACK: frozenset(),
    }
)

R = RunStatus
RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = MappingProxyType(
    {
        R.PENDING: frozenset({R.RUNNING, R.CANCELLED, R.INTERRUPTED}),
        R.RUNNING: frozenset({R.SUCCEEDED, R.FAILED, R.CANCELLED, R.INTERRUPTED}),
        R.INTERRUPTED: frozenset({R.RUNNING, R.CANCELLED}),
        R.SUCCEEDED: frozenset(),
        R.FAILED: frozenset(),
        R.CANCELLED: frozenset(),
    }
)

B = RollbackStatus
ROLLBACK_TRANSITIONS: Mapping[RollbackStatus, frozenset[RollbackStatus]] = MappingProxyType(
    {
        B.PENDING: frozenset({B.RUNNING, B.FAILED}),
        B.RUNNING: frozenset({B.SUCCEEDED, B.FAILED}),
        B.SUCCEEDED: frozenset(),
        B.FAILED: frozenset(),
    }
)

P = StepStatus
STEP_TRANSITIONS: Mapping[StepStatus, frozenset[StepStatus]] = MappingProxyType(
    {
        P.PENDING: frozenset({P.RUNNING}),
        P.RUNNING: frozenset({P.SUCCEEDED, P.FAILED, P.INTERRUPTED}),
        P.INTERRUPTED: frozenset({P.RUNNING, P.FAILED}),
        P.FAILED: frozenset({P.RETRYING, P.SKIPPED, P.DONE}),
        P.RETRYING: frozenset({P.RUNNING, P.FAILED}),
        P.SUCCEEDED: frozenset(),
        P.SKIPPED: frozenset(),
        P.DONE: frozenset(),
    }
)
del S, R, B, P

ENDED_STAGES = frozenset(
    {
        StageStatus.SUCCEEDED,
        StageStatus.FAILED,
        StageStatus.REJECTED,
        StageStatus.SKIPPED,
        StageStatus.CANCELLED,
        StageStatus.ROLLED_BACK,
    }
)
"""Stages that a running executor will not touch again, but for a rollback."""

ENDED_RUNS = frozenset(status for status, after in RUN_TRANSITIONS.items() if not after)
"""Runs whose status is final."""

ACKNOWLEDGEABLE = frozenset({RunStatus.FAILED, RunStatus.INTERRUPTED})
"""Runs that went wrong, of which somebody may say that they have seen it."""

SETTLED_STEPS = frozenset(status for status, after in STEP_TRANSITIONS.items() if not after)
"""Steps of which nothing is left to do."""

ENDED_ROLLBACKS = frozenset(status for status, after in ROLLBACK_TRANSITIONS.items() if not after)
"""Rollbacks whose status is final."""


def standing(status: RunStatus | RollbackStatus) -> str:
    """How a run or a rollback stands, as a sentence says it: `is running`, `failed`."""
    if status is RunStatus.CANCELLED:
        return "was cancelled"
    return str(status) if status in ENDED_RUNS | ENDED_ROLLBACKS else f"is {status}"
