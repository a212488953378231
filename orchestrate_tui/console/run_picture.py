"""One run as the main screen shows it: read at once, then asked what to put forward."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from orchestrate_tui.domain.pipeline import OnFailure
from orchestrate_tui.domain.run import ApprovalRecord, Run, StageRun
from orchestrate_tui.domain.status import (
    ACKNOWLEDGEABLE,
    ENDED_ROLLBACKS,
    RollbackStatus,
    RunStatus,
    StageStatus,
    StepStatus,
)
from orchestrate_tui.store.rehearsals import last_rehearsal
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.events import RollbackEvent
    from orchestrate_tui.domain.notification import Notification
    from orchestrate_tui.domain.pipeline import Pipeline, Stage
    from orchestrate_tui.domain.rehearsal import Rehearsal
    from orchestrate_tui.store.history import History

_UNDER_WAY = (StageStatus.WAITING_APPROVAL, StageStatus.RUNNING, StageStatus.RETRYING)
_WENT_WRONG = (StageStatus.INTERRUPTED, StageStatus.FAILED, StageStatus.REJECTED)
_OF_INTEREST = (*_UNDER_WAY, *_WENT_WRONG, StageStatus.CANCELLED)
"""What an operator wants to look at first, in this order."""

GOES_ON = frozenset({RunStatus.PENDING, RunStatus.RUNNING})
"""Runs that can be cancelled."""


@dataclass(frozen=True)
class RunPicture:
    """A run, its pipeline, its stages in the order of the file, and the decisions on them.

    `last_rollback` is None when nobody rolled the run back; `undoing` are the stages whose step
    of it runs now. `notifications` are newest first, `rehearsal` is the last one.
    """

    run: Run
    pipeline: Pipeline
    stages: tuple[StageRun, ...]
    approvals: tuple[ApprovalRecord, ...]
    last_rollback: RollbackEvent | None = None
    undoing: frozenset[str] = frozenset()
    notifications: tuple[Notification, ...] = ()
    rehearsal: Rehearsal | None = None

    @classmethod
    def read(cls, history: History, run_id: int) -> RunPicture:
        """The run as it is now. Raises NotFound."""

        def now() -> RunPicture:
            run = history.run(run_id)
            return cls._of(history, run, history.definition_for(run), history.stages_for(run))

        return history.together(now)

    def again(self, history: History, changed: Collection[str] | None = ()) -> RunPicture:
        """The same a while later, when of the stages only these changed; None: nobody knows.

        All of them are read also when the run itself stands otherwise.
        """

        def now() -> RunPicture:
            run = history.run(self.run.id)
            told = changed if run.status is self.run.status else None
            return self._of(history, run, self.pipeline, self._stages(history, run, told))

        return history.together(now)

    @classmethod
    def _of(
        cls, history: History, run: Run, pipeline: Pipeline, stages: tuple[StageRun, ...]
    ) -> RunPicture:
        rollback = next(iter(history.rollbacks(run.id, limit=1)), None)
        return cls(
            run,
            pipeline,
            stages,
            history.approvals(run.id),
            rollback,
            _undoing(history, rollback),
            history.notifications(run.id) if pipeline.notify else (),
            history.query(partial(last_rehearsal, run_id=run.id)),
        )

    def with_stages(self, history: History, changed: Collection[str]) -> RunPicture:
        """The same when nothing but these stages changed, and the decisions on them."""

        def now() -> RunPicture:
            stages = self._stages(history, history.run(self.run.id), changed)
            return replace(self, stages=stages, approvals=history.approvals(self.run.id))

        return history.together(now)

    def _stages(
        self, history: History, run: Run, changed: Collection[str] | None
    ) -> tuple[StageRun, ...]:
        """The stages of the run, with these as they are now; None: with all of them."""
        if changed is None:
            return history.stages_for(run)
        if not changed:
            return self.stages
        now = {one.stage_name: one for one in history.stages_for(run, only=changed)}
        return tuple(now.get(stage.stage_name, stage) for stage in self.stages)

    @cached_property
    def by_name(self) -> Mapping[str, StageRun]:
        """The stages by their names."""
        return {stage.stage_name: stage for stage in self.stages}

    @cached_property
    def defined(self) -> Mapping[str, Stage]:
        """What the pipeline says of each stage."""
        return {stage.name: stage for stage in self.pipeline.stages}

    @property
    def can_undo_something(self) -> bool:
        """Whether its file says of a stage how it is undone."""
        return any(stage.rollback or stage.snapshot for stage in self.pipeline.stages)

    @property
    def stage_of_interest(self) -> str:
        """The stage to look at first: what waits or works, what went wrong, or the last to run."""
        for status in _OF_INTEREST:
            for stage in self.stages:
                if stage.status is status and not self._is_allowed_failure(stage):
                    return stage.stage_name
        started = [stage for stage in self.stages if stage.started]
        return (started or self.stages[:1])[-1].stage_name

    def went_wrong(self, stage_name: str) -> bool:
        """Whether a stage kept the run from succeeding."""
        stage = self.by_name[stage_name]
        return stage.status in _WENT_WRONG and not self._is_allowed_failure(stage)

    def _is_allowed_failure(self, stage: StageRun) -> bool:
        return (
            stage.status is StageStatus.FAILED
            and self.defined[stage.stage_name].on_failure is OnFailure.CONTINUE
        )

    def waiting_stage(self, preferred: str | None) -> str | None:
        """A stage that waits for approval, `preferred` if it does; None when none does."""
        waiting = [
            stage.stage_name
            for stage in self.stages
            if stage.status is StageStatus.WAITING_APPROVAL
        ]
        return preferred if preferred in waiting else next(iter(waiting), None)

    @property
    def can_be_cancelled(self) -> bool:
        """Whether it is still to end."""
        return self.run.status in GOES_ON or self.run.status is RunStatus.INTERRUPTED

    @property
    def can_be_acknowledged(self) -> bool:
        """Whether it went wrong and nobody has said to have seen it, or others will be told."""
        went_wrong = self.run.status in ACKNOWLEDGEABLE and self.run.acknowledged_by is None
        return went_wrong or any(one.ended_at is None for one in self.notifications)

    @property
    def can_be_resumed(self) -> bool:
        """Whether its executor died, or that of its last rollback."""
        return self.run.status is RunStatus.INTERRUPTED or self.left_rollback is not None

    @property
    def left_rollback(self) -> RollbackEvent | None:
        """Its last rollback, when the executor of that died before its end."""
        rollback = self.last_rollback
        return rollback if rollback is not None and rollback.is_left else None

    @property
    def can_be_rolled_back(self) -> bool:
        """Whether something of it started that was not undone yet."""
        return any(
            stage.started and stage.status is not StageStatus.ROLLED_BACK for stage in self.stages
        )

    @property
    def can_be_rehearsed(self) -> bool:
        """Whether a rollback of it could be rehearsed."""
        return self.can_be_rolled_back and not self.run.simulated

    @property
    def driver(self) -> int | None:
        """The executor that works on it, or carries out its last rollback; None for nobody."""
        if self.run.status in GOES_ON:
            return self.run.epoch
        rollback = self.last_rollback
        if rollback is None or rollback.is_left or rollback.status in ENDED_ROLLBACKS:
            return None
        return rollback.epoch

    @property
    def is_driven(self) -> bool:
        """Whether an executor works on it."""
        return self.driver is not None

    def decisions_on(self, stage_name: str) -> tuple[ApprovalRecord, ...]:
        """Who decided on a stage so far."""
        return tuple(record for record in self.approvals if record.stage_name == stage_name)


def _undoing(history: History, rollback: RollbackEvent | None) -> frozenset[str]:
    """The stages whose undo step runs now."""
    if rollback is None or rollback.id is None or rollback.status is not RollbackStatus.RUNNING:
        return frozenset()
    steps = history.steps(rollback.id)
    return frozenset(step.stage_name for step in steps if step.status is StepStatus.RUNNING)
