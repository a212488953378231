"""A run of a pipeline and its stages, as they stand at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from orchestrate_tui.domain.conditions import Circumstances
from orchestrate_tui.domain.pipeline import Pairs
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.domain.value import value
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerContext:
    """Why and for what a run was started.

    `branch` None means none was given. `changed` None means the changed paths are unknown, ()
    that nothing changed. `variables` come before those of the pipeline.
    """

    event: str = "manual"
    branch: str | None = None
    labels: tuple[str, ...] = ()
    changed: tuple[str, ...] | None = None
    variables: Pairs = ()

    def circumstances(self, variables: Mapping[str, str]) -> Circumstances:
        """What the conditions of the stages are asked about, under these values."""
        return Circumstances(
            branch=self.branch, changed=self.changed, labels=self.labels, variables=variables
        )


@value
class StageRun:
    """One stage of one run. `attempt` 0 means it has not started; times are aware UTC.

    `reason` says why it was skipped, rejected, cancelled or failed; "" otherwise. `exit_code`
    None means there is none: not started, still running, or no process was involved.
    `requested_at` is when its approval was asked for, and `requested_boot` the same by the clock of
    the system's start; "" is not known. `rolled_back_by` is the rollback that
    undid it. `waits_for` says who has its environment, so that it has not begun to work; "" is
    nobody.
    """

    run_id: int
    stage_name: str
    position: int
    status: StageStatus = StageStatus.PENDING
    attempt: int = 0
    agent: str = ""
    environment: str | None = None
    reason: str = ""
    exit_code: int | None = None
    requested_at: datetime | None = None
    requested_boot: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    rolled_back_by: int | None = None
    waits_for: str = ""

    @property
    def is_held(self) -> bool:
        """Whether it would work, if somebody else did not have its environment."""
        return self.status is StageStatus.RUNNING and bool(self.waits_for)

    @property
    def started(self) -> bool:
        """Whether an attempt was ever begun, and so effects may exist."""
        return self.started_at is not None


class Decision(StrEnum):
    """What somebody said about an approval."""

    APPROVED = "approved"
    """The stage may start, as far as this entry goes."""
    REJECTED = "rejected"
    """The stage must not start."""


class Settlement(StrEnum):
    """What an operator says of a stage that nobody knows the end of."""

    RERUN = "rerun"
    """Run it again, as a new attempt."""
    DONE = "done"
    """It did its work: it has succeeded."""
    FAILED = "failed"
    """It did not: it has failed, for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """One decision on one stage; `entry` is the listed approver that it satisfies."""

    run_id: int
    stage_name: str
    decision: Decision
    entry: str
    actor: str
    comment: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a pipeline. `actor` is the operating system's user who started it.

    `epoch` is the executor that owns it, None before one does. `reason` says why it did not
    succeed; "" otherwise. `pipeline_dir` is the folder of its file, "" without one.
    `pruned_at` is when its logs were removed, None while they are there.
    `acknowledged_by` is who has said to have seen that it went wrong, None for nobody yet, and
    `acknowledgement` what they had to say.
    """

    id: int
    pipeline: str
    status: RunStatus
    simulated: bool
    trigger: TriggerContext
    actor: str
    definition_hash: str
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    reason: str = ""
    epoch: int | None = None
    workdir: str = ""
    pipeline_dir: str = ""
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledgement: str = ""
    pruned_at: datetime | None = None
