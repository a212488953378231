"""The executor in a thread of its own, for a console whose event loop may stop.

Textual's loop blocks when the terminal stops reading, and does not wait for its workers on exit.
The executor must not care: it has its own loop, and what is asked of it comes back as futures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.notifying import NotifyRule
from orchestrate_tui.domain.rollback_demand import EVERYTHING, RollbackDemand
from orchestrate_tui.domain.run import Run, Settlement, TriggerContext
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.hub import Hub, Subscription
from orchestrate_tui.executor.people import People
from orchestrate_tui.executor.thread import ExecutorThread, begun_future
from orchestrate_tui.store.database import Database
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.release import Ruling
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.executor.left_work import LeftStage
    from orchestrate_tui.executor.runnable import Runnable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunRun:
    """A run that was begun: its id once it is recorded, and the run as it ended."""

    run_id: Future[int]
    end: Future[Run]


class Control:
    """What a console may ask; every method may be called from any thread.

    A future fails with an OrchestrateError when what was asked is refused. `meanwhile` is called
    again and again until the executor is there.
    """

    def __init__(
        self,
        database: Database,
        *,
        people: People | None = None,
        notify: tuple[NotifyRule, ...] = (),
        waits: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.hub = Hub()
        make = partial(
            PipelineExecutor, database, people=people, hub=self.hub, notify=notify, waits=waits
        )
        self._thread = ExecutorThread(make, meanwhile)
        self._executor = self._thread.executor
        self._signature = {"actor": "", "key": ""}  # of the operating system's user

    def on_behalf_of(self, actor: str, key: str) -> Self:
        """The same control for somebody else, who asks one thing; see PipelineExecutor.approve."""
        theirs = copy(self)
        theirs._signature = {"actor": actor, "key": key}  # noqa: SLF001  (it is one of us)
        return theirs

    protected: frozenset[str] = frozenset()
    """Which environments are protected that whoever asks cannot know: here, none."""

    def greet(self) -> Future[None]:
        """Find that out, which takes no time here."""
        known: Future[None] = Future()
        known.set_result(None)
        return known

    def confirming(self, _environments: Sequence[str]) -> Self:
        """The same control: that the names were typed has been checked by who asks."""
        return self

    @property
    def epoch(self) -> int:
        """Under which it is known who works on a run."""
        return self._executor.epoch

    def subscribe(self) -> Subscription:
        """Listen to what is committed from now on."""
        return self.hub.subscribe()

    def active(self) -> tuple[int, ...]:
        """The runs that this executor works on, rollbacks of ended ones included."""
        return self._executor.active

    @property
    def trouble(self) -> str:
        """Why nothing new starts, such as a full disk, in a sentence; "" when nothing is wrong."""
        return self._executor.trouble

    @property
    def is_stuck(self) -> bool:
        """Whether even the end of a run could not be recorded now."""
        return self._executor.database.is_stuck

    @property
    def is_held_up(self) -> bool:
        """Whether another process keeps what happens from being recorded."""
        return self._executor.database.is_held_up

    def lose_patience(self) -> None:
        """Give up what waits to be recorded: its runs end with Unrecorded, and so do others."""
        self._executor.database.lose_patience()

    def wait(self) -> None:
        """Wait until nothing is worked on any more; what fails meanwhile is in the store."""
        self._thread.wait()

    def close(self) -> None:
        """Wait for what is worked on, and end the thread; a second call does nothing."""
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def start_run(
        self,
        loaded: Runnable,
        trigger: TriggerContext | None = None,
        *,
        simulated: bool = False,
        workdir: Path | None = None,
    ) -> Future[int]:
        """Create a run and begin to work on it; the future is the run's id."""
        return self.begin_run(loaded, trigger, simulated=simulated, workdir=workdir).run_id

    def begin_run(
        self,
        loaded: Runnable,
        trigger: TriggerContext | None = None,
        *,
        simulated: bool = False,
        workdir: Path | None = None,
    ) -> BegunRun:
        """Create a run and begin to work on it."""
        create = partial(
            self._executor.create_run,
            loaded.pipeline,
            trigger,
            simulated=simulated,
            source=loaded.source,
            workdir=workdir,
            pipeline_dir=Path(loaded.file).parent,
            actor=self._signature["actor"],
        )
        started: Future[int] = begun_future()
        end = self._begin(self._create_and_execute(create, started), started)
        return BegunRun(run_id=started, end=end)

    def left_stages(self, run_id: int) -> Future[tuple[LeftStage, ...]]:
        """How the stages of an interrupted run stand that were running."""
        return self._thread.ask(partial(self._executor.left_stages, run_id))

    def resume(
        self,
        run_id: int,
        *,
        take_over: str | None = None,
        settled: Mapping[str, Settlement] | None = None,
    ) -> Future[Run]:
        """Go on with an interrupted run; the future is the run as it ended.

        `take_over` is the reason for which it is taken from an executor that still lives,
        `settled` what became of stages that are lost.
        """
        resume = partial(
            self._executor.resume_run,
            run_id,
            take_over=take_over,
            settled=settled,
            actor=self._signature["actor"],
        )
        return self._thread.work(resume)

    def cancel(self, run_id: int) -> Future[str]:
        """Stop a run; the future is what that did."""
        return self._thread.ask(self._signed(self._executor.cancel, run_id))

    def approve(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Approve a waiting stage; the future is what that did."""
        approve = self._signed(self._executor.approve, run_id, stage, comment=comment)
        return self._thread.ask(approve)

    def reject(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Reject a waiting stage; the future is what that did."""
        reject = self._signed(self._executor.reject, run_id, stage, comment=comment)
        return self._thread.ask(reject)

    def acknowledge(self, run_id: int, comment: str = "") -> Future[str]:
        """Say that somebody has seen how a run went wrong; the future is what that did."""
        acknowledge = self._executor.acknowledge
        actor = self._signature["actor"]
        return self._thread.ask(partial(acknowledge, run_id, comment=comment, actor=actor))

    def rule(self, ruling: Ruling, identity: int, reason: str = "") -> Future[str]:
        """Pin or unpin a release, or lift a quarantine; the future is what that did."""
        rule, actor = self._executor.rule, self._signature["actor"]
        return self._thread.ask(partial(rule, ruling, identity, reason=reason, actor=actor))

    # Rollbacks

    def plan_rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[RollbackPlan]:
        """What a rollback would do now, or why it would be refused."""
        return self._thread.ask(partial(self._executor.preview, run_id, demand, definition))

    def rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        """Roll a run back; the future is the rollback's id, once it is recorded."""
        started: Future[int] = begun_future()
        roll_back = self._signed(
            self._executor.roll_back, run_id, demand, definition, accepted=started.set_result
        )
        self._begin(roll_back, started)
        return started

    def rehearse(
        self,
        run_id: int,
        demand: RollbackDemand = EVERYTHING,
        definition: Runnable | None = None,
    ) -> Future[int]:
        """Do all of a rollback but its undos; the id of the rehearsal. It is given up at the end.

        See PipelineExecutor.rehearse.
        """
        rehearse, actor = self._executor.rehearse, self._signature["actor"]
        return self._thread.ask(partial(rehearse, run_id, demand, definition, actor=actor))

    def follow_rollback(self, rollback_id: int) -> Future[RollbackEvent]:
        """Wait for the end of a rollback, whoever carries it out."""
        return self._thread.ask(partial(self._executor.follow_rollback, rollback_id))

    def halt(self, rollback_id: int, reason: str) -> Future[str]:
        """Stop a rollback at its present step; the future is what that did."""
        return self._thread.ask(self._signed(self._executor.halt, rollback_id, reason=reason))

    def decide_step(
        self, rollback_id: int, action: StepAction, reason: str, stage: str = ""
    ) -> Future[str]:
        """Decide how a rollback goes on after a step that failed; the future is what that did.

        `stage` "" means the only step that waits.
        """
        decided: Future[str] = begun_future()
        decide = self._signed(
            self._executor.decide_step,
            rollback_id,
            action,
            reason=reason,
            stage=stage,
            accepted=decided.set_result,
        )
        self._begin(decide, decided)
        return decided

    # The thread

    def _signed(
        self, call: Callable[..., Awaitable[T]], *arguments: object, **options: object
    ) -> Callable[[], Awaitable[T]]:
        """The call, made by whoever asks through this control."""
        return partial(call, *arguments, **options, **self._signature)

    def _create_and_execute(
        self, create: Callable[[], Awaitable[int]], started: Future[int]
    ) -> Callable[[], Awaitable[Run]]:
        async def work() -> Run:
            run_id = await create()
            started.set_result(run_id)
            return await self._executor.execute_run(run_id)

        return work

    def _begin(self, call: Callable[[], Awaitable[T]], started: Future[Any]) -> Future[T]:
        """Start work; what keeps it from starting fails `started`."""

        def fail(ended: Future[T]) -> None:
            error = ended.exception()
            if error is not None and not started.done():
                started.set_exception(error)

        work = self._thread.work(call)
        work.add_done_callback(fail)
        return work
