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


class _Standing:
    """Where one stage stands."""

    __slots__ = ("attempt", "position", "requested_at", "requested_boot", "status")

    def __init__(self, position: int) -> None:
        self.position = position
        self.status = StageStatus.PENDING
        self.attempt = 0
        self.requested_at: datetime | None = None
        self.requested_boot = ""

    def recall(self, stage: StageRun) -> None:
        """Stand as the row of the stage says."""
        self.status = stage.status
        self.attempt = stage.attempt
        self.requested_at = stage.requested_at
        self.requested_boot = stage.requested_boot


class StageBook:
    """Knows the status and the attempts of every stage, and words its changes.

    `names` has all of them in the order of the file; those that are not among the `considered`
    are pending.
    """

    def __init__(
        self,
        names: Iterable[str],
        considered: Iterable[StageRun],
        clock: Callable[[], datetime],
        secrets: Secrets = NO_SECRETS,
    ) -> None:
        self._clock = clock
        self._secrets = secrets
        self._standing = {name: _Standing(position) for position, name in enumerate(names)}
        for stage in considered:
            self._standing[stage.stage_name].recall(stage)

    def status(self, name: str) -> StageStatus:
        """Where the stage stands."""
        return self._standing[name].status

    def attempt(self, name: str) -> int:
        """The number of its last attempt, 0 before the first."""
        return self._standing[name].attempt

    def waited_s(self, name: str) -> float:
        """Seconds since its approval was first asked for.

        The clock of days, which may have been set meanwhile, tells it only after a restart of the
        system.
        """
        own = self._standing[name]
        if own.requested_at is None:
            return 0.0
        waited_s = seconds_since(own.requested_boot)
        if waited_s is None:
            waited_s = (self._clock() - own.requested_at).total_seconds()
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
        own, at = self._standing[stage.name], self._clock()
        if status is StageStatus.RUNNING and not is_taken_back:
            own.attempt += 1
        elif status is StageStatus.WAITING_APPROVAL:
            own.requested_at, own.requested_boot = at, boot_moment()
        expected, own.status = own.status, status
        return StageChange(
            stage_name=stage.name,
            position=own.position,
            expected=expected,
            status=status,
            at=at,
            attempt=own.attempt,
            reason=self._secrets.masked(reason or outcome.reason),
            exit_code=outcome.exit_code,
            actor=actor,
            outputs=self._secrets.sealed_pairs(outcome.outputs),
            requested_boot=own.requested_boot,
        )
