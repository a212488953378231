"""What the console needs of an executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from orchestrate_tui.domain.presence import Person
    from orchestrate_tui.domain.release import Ruling
    from orchestrate_tui.domain.rollback_demand import RollbackDemand
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.domain.run import Settlement, TriggerContext
    from orchestrate_tui.domain.step_decision import StepAction
    from orchestrate_tui.executor.hub import Subscription
    from orchestrate_tui.executor.left_work import LeftStage
    from orchestrate_tui.executor.runnable import Runnable


class Attendance(Protocol):
    """Tells who is at the database, and how they fare; `store.attendance.Attendance` does."""

    def people(self) -> tuple[Person, ...]:
        """Everybody who is there, this process too."""
        ...

    def trouble(self) -> str:
        """What keeps an executor from working, in a sentence; "" when nothing does."""
        ...


class ExecutorControl(Protocol):
    """Asks an executor in another thread; a future fails with an OrchestrateError if refused."""

    def subscribe(self) -> Subscription:
        """Listen to what is committed from now on."""
        ...

    def active(self) -> tuple[int, ...]:
        """The runs that this process works on."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing new starts, such as a full disk, in a sentence; "" when nothing is wrong."""
        ...

    @property
    def is_stuck(self) -> bool:
        """Whether even the end of a run could not be recorded now."""
        ...

    def lose_patience(self) -> None:
        """Give up what waits for a full disk; its runs end unrecorded."""
        ...

    def start_run(
        self,
        loaded: Runnable,
        trigger: TriggerContext | None = None,
        *,
        simulated: bool = False,
    ) -> Future[int]:
        """Begin a run; its id."""
        ...

    def left_stages(self, run_id: int) -> Future[tuple[LeftStage, ...]]:
        """How the stages of an interrupted run stand that were running."""
        ...

    def resume(
        self,
        run_id: int,
        *,
        take_over: str | None = None,
        settled: Mapping[str, Settlement] | None = None,
    ) -> Future[Any]:
        """Go on with an interrupted run; the future ends with the run.

        `take_over` is the reason for which it is taken from an executor that still lives,
        `settled` what became of stages that are lost.
        """
        ...

    def cancel(self, run_id: int) -> Future[str]:
        """Stop a run; what that did."""
        ...

    def acknowledge(self, run_id: int, comment: str = "") -> Future[str]:
        """Say that somebody has seen how a run went wrong; what that did."""
        ...

    def approve(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Approve a waiting stage; what that did."""
        ...

    def reject(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Reject a waiting stage; what that did."""
        ...

    def rule(self, ruling: Ruling, identity: int, reason: str = "") -> Future[str]:
        """Pin or unpin a release, or lift a quarantine; what that did."""
        ...

    def plan_rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[RollbackPlan]:
        """What a rollback would do now, or why it would be refused."""
        ...

    def rehearse(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        """Do all of a rollback but its undos; the id of the rehearsal."""
        ...

    def rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        """Roll a run back; the rollback's id, once it is recorded."""
        ...

    def decide_step(
        self, rollback_id: int, action: StepAction, reason: str, stage: str = ""
    ) -> Future[str]:
        """Decide how a rollback goes on after a step that failed; what that did."""
        ...

    def halt(self, rollback_id: int, reason: str) -> Future[str]:
        """Stop a rollback at its present step; what that did."""
        ...


class WholeControl(ExecutorControl, Protocol):
    """What a latch stands before; `executor.control.Control` is one."""

    @property
    def protected(self) -> frozenset[str]:
        """Environments that whoever is asked protects, beside what is configured here."""
        ...

    def confirming(self, environments: Sequence[str]) -> ExecutorControl:
        """The same, for what is asked with the names of these environments typed."""
        ...
