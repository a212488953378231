"""The latch of a console: on runs that touch a protected environment nothing changes by a slip.

A console opens locked. Unlocked it stays so for a while, measured by a clock that nobody can set
and that goes on while the machine sleeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from textual.content import Content

from orchestrate_tui.console.durations import set_duration
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.styled import plain, toned
from orchestrate_tui.console.text import visible
from orchestrate_tui.domain.protection import confirmation, protected_environments
from orchestrate_tui.errors import OrchestrateError, Refused
from orchestrate_tui.stagehost.boot import boot_clock

if TYPE_CHECKING:
    from orchestrate_tui.console.opening import Opening
    from orchestrate_tui.console.ports import ExecutorControl, WholeControl
    from orchestrate_tui.domain.pipeline import Pipeline
    from orchestrate_tui.domain.release import Ruling
    from orchestrate_tui.domain.rollback_demand import RollbackDemand
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.domain.run import Run, Settlement, TriggerContext
    from orchestrate_tui.domain.step_decision import StepAction
    from orchestrate_tui.executor.hub import Subscription
    from orchestrate_tui.executor.left_work import LeftStage
    from orchestrate_tui.executor.runnable import Runnable
    from orchestrate_tui.store.history import History

T = TypeVar("T")

_Errand: TypeAlias = "Callable[[WholeControl, tuple[str, ...]], Future[T]]"
"""Asks an executor for something that touches these protected environments."""

UNLOCKED_FOR_S = 300.0


class Latch:
    """Which environments are protected, and until when they are unlocked.

    `configured` are those that the user's configuration protects; a pipeline may name others, and
    so does who executes it, whom `others` asks.
    """

    def __init__(
        self,
        configured: Collection[str] = (),
        *,
        unlocked_for_s: float = UNLOCKED_FOR_S,
        monotonic: Callable[[], float] = boot_clock,
    ) -> None:
        self.unlocked_for_s = unlocked_for_s
        self._configured = frozenset(configured)
        self.others: Callable[[], Collection[str]] = tuple
        self._now = monotonic
        self._until: dict[str, float] = {}
        self._refused: tuple[str, ...] = ()

    def environments(self, pipeline: Pipeline, *, simulated: bool) -> tuple[str, ...]:
        """The protected environments of a pipeline; a simulated run touches none."""
        if simulated:
            return ()
        return protected_environments(pipeline, self._configured.union(self.others()))

    def left_s(self, environments: Sequence[str]) -> float:
        """For how long all of them are unlocked; 0 when one is locked."""
        now = self._now()
        return max(min((self._until.get(name, now) - now for name in environments), default=0), 0)

    def is_locked(self, environments: Sequence[str]) -> bool:
        """Whether one of them is locked; no environments are not."""
        return bool(environments) and not self.left_s(environments)

    @property
    def unlocked(self) -> tuple[str, ...]:
        """Every environment that is unlocked now, whichever run is looked at."""
        return tuple(name for name in self._until if self.left_s((name,)))

    def at_hand(self, environments: Sequence[str]) -> tuple[str, ...]:
        """What a key turns where these are looked at: they, and those that were refused last.

        Without any it is what is unlocked.
        """
        return tuple(dict.fromkeys((*environments, *self._refused))) or self.unlocked

    def turn(self, environments: Sequence[str]) -> None:
        """Unlock all of them when one is locked, else lock them."""
        until = self._now() + self.unlocked_for_s if self.is_locked(environments) else 0.0
        self._until.update(dict.fromkeys(environments, until))
        self.forget_refusal()

    def forget_refusal(self) -> None:
        """Let the key turn nothing because of what was refused before."""
        self._refused = ()

    def check(self, environments: Sequence[str]) -> None:
        """Raise Refused when one of them is locked."""
        if self.is_locked(environments):
            self._refused = tuple(environments)
            verb = "is" if len(environments) == 1 else "are"
            raise Refused(
                f"{confirmation(environments)} {verb} protected, and this console is locked",
                next_step=f"W unlocks it for {set_duration(self.unlocked_for_s)}",
            )


def latch_text(latch: Latch, environments: Sequence[str]) -> Content:
    """Whether these environments are locked here, or for how long they are not."""
    if not environments:
        return Content()
    names = confirmation(environments)
    if latch.is_locked(environments):
        return Content.styled(visible(f" LOCKED {names} "), "reverse") + plain(" W unlocks")
    minutes, seconds = divmod(math.ceil(latch.left_s(environments)), 60)
    return toned(f"{names} unlocked {minutes}:{seconds:02}", Tone.BAD)


class LatchedControl:
    """Asks an executor only for what the latch lets through, whichever dialog asks."""

    def __init__(self, opening: Opening[WholeControl], latch: Latch, history: History) -> None:
        self.latch = latch
        self.opening = opening
        self._history = history
        latch.others = self._protected_there

    def _protected_there(self) -> frozenset[str]:
        """What the executor protects, as far as it has said so by now."""
        with suppress(OrchestrateError):  # one that cannot be opened is told elsewhere
            if self.opening.is_open:
                return self._control.protected
        return frozenset()

    @property
    def _control(self) -> WholeControl:
        """The executor, where it is known to be open. Raises what kept it from being opened."""
        return self.opening.control()

    def environments(self, run_id: int) -> tuple[str, ...]:
        """The protected environments that a run touches."""
        run, pipeline = self._run(run_id)
        return self.latch.environments(pipeline, simulated=run.simulated)

    def _run(self, run_id: int) -> tuple[Run, Pipeline]:
        return self._history.run(run_id), self._history.definition(run_id)

    def subscribe(self) -> Subscription:
        """Listen to what is committed from now on."""
        return self._control.subscribe()

    def active(self) -> tuple[int, ...]:
        """The runs that this process works on; none while its executor is being opened."""
        return self._control.active() if self.opening.is_open else ()

    @property
    def trouble(self) -> str:
        """Why nothing can be recorded at present; "" while it can."""
        return self._control.trouble if self.opening.is_open else self.opening.trouble()

    @property
    def is_stuck(self) -> bool:
        """Whether everything that is worked on waits until it can be recorded."""
        return self._control.is_stuck

    def lose_patience(self) -> None:
        """Give up what cannot be recorded. Raises Refused while an environment of it is locked."""
        self.latch.check(self.touched(self.active()))
        self._control.lose_patience()

    def touched(self, run_ids: Iterable[int]) -> tuple[str, ...]:
        """The protected environments that any of these runs touches."""
        found = (name for run_id in run_ids for name in self.environments(run_id))
        return tuple(dict.fromkeys(found))

    def start_run(
        self, loaded: Runnable, trigger: TriggerContext | None = None, *, simulated: bool = False
    ) -> Future[int]:
        """Begin a run, unless its environments are locked."""
        return self._past_latch(
            loaded.pipeline,
            lambda control, _: control.start_run(loaded, trigger, simulated=simulated),
            simulated=simulated,
        )

    def left_stages(self, run_id: int) -> Future[tuple[LeftStage, ...]]:
        """How the stages of an interrupted run stand."""
        return self.opening.ask(lambda control: control.left_stages(run_id))

    def resume(
        self,
        run_id: int,
        *,
        take_over: str | None = None,
        settled: Mapping[str, Settlement] | None = None,
    ) -> Future[Any]:
        """Go on with a run, unless its environments are locked."""
        return self._past(
            run_id,
            lambda control, _: control.resume(run_id, take_over=take_over, settled=settled),
        )

    def cancel(self, run_id: int) -> Future[str]:
        """Stop a run, unless its environments are locked."""
        return self._past_typed(run_id, lambda control: control.cancel(run_id))

    def acknowledge(self, run_id: int, comment: str = "") -> Future[str]:
        """Say that somebody has seen how a run went wrong; that changes nothing out there."""
        return self.opening.ask(lambda control: control.acknowledge(run_id, comment))

    def approve(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Approve a stage, unless the environments of its run are locked."""
        return self._past(run_id, lambda control, _: control.approve(run_id, stage, comment))

    def reject(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Reject a stage, unless the environments of its run are locked."""
        return self._past_typed(run_id, lambda control: control.reject(run_id, stage, comment))

    def rule(self, ruling: Ruling, identity: int, reason: str = "") -> Future[str]:
        """Rule on a release or a quarantine, unless the environments of its run are locked."""
        from orchestrate_tui.domain.release import Ruling  # noqa: PLC0415  (for who rules)

        history = self._history
        match ruling:
            case Ruling.LIFT:
                run_id = history.quarantine(identity).run_id
            case Ruling.RESET:
                run_id = history.breaker(identity).run_id
            case _:
                run_id = history.release(identity).run_id
        return self._past_typed(run_id, lambda control: control.rule(ruling, identity, reason))

    def plan_rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[RollbackPlan]:
        """What a rollback would do now; that changes nothing."""
        return self.opening.ask(lambda control: control.plan_rollback(run_id, demand, definition))

    def rehearse(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        """Do all of a rollback but its undos; that changes nothing."""
        return self.opening.ask(lambda control: control.rehearse(run_id, demand, definition))

    def rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        """Roll a run back, unless its environments are locked."""
        return self._past_typed(
            run_id, lambda control: control.rollback(run_id, demand, definition)
        )

    def halt(self, rollback_id: int, reason: str) -> Future[str]:
        """Stop a rollback, unless the environments of its run are locked."""
        run_id = self._history.rollback(rollback_id).run_id
        return self._past_typed(run_id, lambda control: control.halt(rollback_id, reason))

    def decide_step(
        self, rollback_id: int, action: StepAction, reason: str, stage: str = ""
    ) -> Future[str]:
        """Decide about a step that failed, unless the environments of its run are locked."""
        run_id = self._history.rollback(rollback_id).run_id
        return self._past_typed(
            run_id, lambda control: control.decide_step(rollback_id, action, reason, stage)
        )

    def _past_typed(self, run_id: int, ask: Callable[[ExecutorControl], Future[T]]) -> Future[T]:
        """Ask for what its dialog had the names typed for.

        An environment that became known to be protected since then is locked.
        """
        return self._past(run_id, lambda control, touched: ask(control.confirming(touched)))

    def _past(self, run_id: int, ask: _Errand[T]) -> Future[T]:
        """Ask for something to be done with a run."""
        run, pipeline = self._run(run_id)
        return self._past_latch(pipeline, ask, simulated=run.simulated)

    def _past_latch(self, pipeline: Pipeline, ask: _Errand[T], *, simulated: bool) -> Future[T]:
        """Ask the executor, when it is open and has told what it protects, past the latch."""

        def past(control: WholeControl) -> Future[T]:
            touched = self.latch.environments(pipeline, simulated=simulated)
            self.latch.check(touched)
            return ask(control, touched)

        return self.opening.ask(past)
