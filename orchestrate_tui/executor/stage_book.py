"""Where the stages of a run stand, with what the present turn decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from orchestrate_tui.agents.contract import Outcome
from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.executor.boot_time import boot_moment, seconds_since
from orchestrate_tui.executor.secrets import NO_SECRETS, Secrets
from orchestrate_tui.store.runs import StageChange

NOTHING = Outcome(succeeded=True)


class StageBook:
    """Knows the status and the attempts of every stage, and words its changes."""

    def __init__(
        self,
        stages: Iterable[StageRun],
        clock: Callable[[], datetime],
        secrets: Secrets = NO_SECRETS,
    ) -> None:
        known = tuple(stages)
        self._clock = clock
        self._secrets = secrets
        self._status = {stage.stage_name: stage.status for stage in known}
        self._position = {stage.stage_name: stage.position for stage in known}
        self._attempt = {stage.stage_name: stage.attempt for stage in known}
        self._requested_at = {stage.stage_name: stage.requested_at for stage in known}
        self._requested_boot = {stage.stage_name: stage.requested_boot for stage in known}

    def status(self, name: str) -> StageStatus:
        """Where the stage stands."""
        return self._status[name]

    def attempt(self, name: str) -> int:
        """The number of its last attempt, 0 before the first."""
        return self._attempt[name]

    def waited_s(self, name: str) -> float:
        """Seconds since its approval was first asked for.

        The clock of days, which may have been set meanwhile, tells it only after a restart of the
        system.
        """
        requested_at = self._requested_at[name]
        if requested_at is None:
            return 0.0
        waited_s = seconds_since(self._requested_boot[name])
        if waited_s is None:
            waited_s = (self._clock() - requested_at).total_seconds()
        return max(waited_s, 0.0)

    def change(
        self,
        stage: Stage,
        status: StageStatus,
        *,
        reason: str = "",
        outcome: Outcome = NOTHING,
        actor: str = "",
        is_taken_back: bool = False,
    ) -> StageChange:
        """Note that a stage is now in `status`; returns the change to commit, without secrets.

        One that runs is in a new attempt, unless it `is_taken_back`.
        """
        name, at = stage.name, self._clock()
        if status is StageStatus.RUNNING and not is_taken_back:
            self._attempt[name] += 1
        elif status is StageStatus.WAITING_APPROVAL:
            self._requested_at[name], self._requested_boot[name] = at, boot_moment()
        expected, self._status[name] = self._status[name], status
        return StageChange(
            stage_name=name,
            position=self._position[name],
            expected=expected,
            status=status,
            at=at,
            attempt=self._attempt[name],
            reason=self._secrets.masked(reason or outcome.reason),
            exit_code=outcome.exit_code,
            actor=actor,
            outputs=self._secrets.sealed_pairs(outcome.outputs),
            requested_boot=self._requested_boot[name],
        )
