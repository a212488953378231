"""What is recorded of changes: the append-only events, and rollbacks with their steps."""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime
from shlex import quote

from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import RollbackStatus, RollbackTriggerType, StepStatus
from orchestrate_tui.values import dataclass

HELD = "held"
"""The kind of event that says for whom a stage waits from then on; "" for nobody any more."""

WAITING = "waiting"
"""The kind of event that says for what a rollback waits from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One recorded change of a run, a stage, an approval or a rollback; never altered.

    `stage_name` and `rollback_id` are None where the change is not theirs. `actor` is "" for
    what the executor did by itself.
    """

    id: int
    run_id: int
    at: datetime
    kind: str
    stage_name: str | None = None
    rollback_id: int | None = None
    from_status: str | None = None
    to_status: str | None = None
    attempt: int | None = None
    actor: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackEvent:
    """One rollback of one run. `id` None means it is not stored yet.

    `release_id` is the release to return to, None for the one before; `definition_hash` that of
    the definition whose undos are used, None for that of the run.
    Without `cascade` only the target is undone, of it `components`, () for all.
    `retry_of` names the failed rollback that this one repeats. `waits` says that it waits for the
    operator when a step fails, and `waiting_since` is set while it does. `plan` and `plan_hash`
    are "" until it is planned. `epoch` is the executor that carries it out; `is_left` says, where
    it is shown, that this one is gone although the rollback has not ended.
    """

    run_id: int
    failed_stage_name: str
    rollback_to_stage: str
    trigger_type: RollbackTriggerType
    status: RollbackStatus = RollbackStatus.PENDING
    error_message: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime = field(default_factory=utc_now)
    id: int | None = None
    actor: str = ""
    reason: str = ""
    components: tuple[str, ...] = ()
    cascade: bool = True
    retry_of: int | None = None
    waits: bool = False
    waiting_since: datetime | None = None
    accept_irreversible: bool = False
    plan: str = ""
    plan_hash: str = ""
    epoch: int | None = None
    release_id: int | None = None
    definition_hash: str | None = None
    is_left: bool = False

    @property
    def narrowing(self) -> str:
        """What it was narrowed to, in a few words; "" when to nothing."""
        alone = "" if self.cascade else f"{self.rollback_to_stage} alone"
        only = f"only {', '.join(self.components)}" if self.components else ""
        return ", ".join(filter(None, (alone, only)))

    @property
    def instigator(self) -> str:
        """Who has it carried out, in a few words."""
        return self.actor or "the executor"

    @property
    def again(self) -> str:
        """The command that does what it has left undone, for one that failed."""
        stages = f"--from {quote(self.failed_stage_name)} --to {quote(self.rollback_to_stage)}"
        return f"orchestrate-tui rollback {self.run_id} {stages} --retry --reason TEXT"

    def mark_running(self, at: datetime | None = None) -> RollbackEvent:
        """The event as it is once its first step may start."""
        return replace(self, status=RollbackStatus.RUNNING, started_at=at or utc_now())

    def mark_succeeded(self, at: datetime | None = None) -> RollbackEvent:
        """The event as it is once every step is done."""
        return replace(
            self,
            status=RollbackStatus.SUCCEEDED,
            completed_at=at or utc_now(),
            waiting_since=None,
        )

    def mark_failed(self, error_message: str, at: datetime | None = None) -> RollbackEvent:
        """The event as it is once it cannot go on, with the sentence that says why."""
        return replace(
            self,
            status=RollbackStatus.FAILED,
            error_message=error_message,
            completed_at=at or utc_now(),
            waiting_since=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackStep:
    """One recorded step of a rollback; `position` counts from 0 in the order of the plan.

    `component` None means the stage as a whole, `environment` None that it has none. `attempt` 0
    means it has not started.
    """

    rollback_id: int
    position: int
    stage_name: str
    agent: str
    task: str
    status: StepStatus = StepStatus.PENDING
    component: str | None = None
    environment: str | None = None
    attempt: int = 0
    exit_code: int | None = None
    error_message: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def failure(self) -> str:
        """That its undo failed, and at which attempt if not at the first."""
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"the undo of {self.part} failed{again}"

    @property
    def part(self) -> str:
        """The stage, or the part of it that this undoes, as files, keys and people name it."""
        return part_name(self.stage_name, self.component)


def failed_steps(steps: tuple[RollbackStep, ...]) -> tuple[RollbackStep, ...]:
    """Those that failed; in a rollback that waits, what it waits for."""
    return tuple(step for step in steps if step.status is StepStatus.FAILED)
