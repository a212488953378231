"""Asks the executor of another account, through its socket; for a console or a command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from pathlib import Path
from threading import Event
from typing import Self
from uuid import uuid4

from msgspec.structs import replace

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.rollback_demand import EVERYTHING, RollbackDemand
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.domain.run import Run, Settlement, TriggerContext
from orchestrate_tui.domain.status import ENDED_ROLLBACKS
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import OrchestrateError, Refused, Unconfirmed
from orchestrate_tui.executor.errands import (
    OTHER_DEFINITION,
    OWN_DEFINITION,
    Acknowledge,
    AnyErrand,
    Approve,
    Cancel,
    Decide,
    Done,
    Halt,
    Plan,
    Protected,
    Rehearse,
    Reject,
    Resume,
    Rollback,
    Rule,
    Start,
)
from orchestrate_tui.executor.hub import Hub, Subscription
from orchestrate_tui.executor.left_work import LeftStage
from orchestrate_tui.executor.messenger import Messenger
from orchestrate_tui.executor.runnable import Runnable
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.history import History
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.recovery import UNDER_WAY
from orchestrate_tui.store.trouble import trouble_at

_LOOK_INTERVAL_S = 0.05
_GREETING_S = 2.0


class DistantControl:
    """What a console may ask of the executors of a database that belongs to another account.

    A future fails with an OrchestrateError when what was asked is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = StoreFiles(path)
        self._messenger = Messenger(path)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="distant")
        self._closed = Event()
        self._confirmed: tuple[str, ...] = ()
        self._told: set[str] = set()
        self._greeting: Future[None] | None = None

    @property
    def protected(self) -> frozenset[str]:
        """Which environments the owner has protected, as far as they have said so."""
        return frozenset(self._told)

    def greet(self) -> Future[None]:
        """Ask the owner's executor that, once; where none answers soon, nothing is known.

        It refuses what was not confirmed all the same.
        """
        if self._greeting is None:
            self._greeting = self._threads.submit(self._greet)
        return self._greeting

    def _greet(self) -> None:
        with suppress(OrchestrateError):
            told = self._messenger.ask(Protected(key=_new_key()), longest_s=_GREETING_S)
            self._told.update(told.protected)

    def confirming(self, environments: Sequence[str]) -> Self:
        """The same control, for what is asked with the names of these environments typed."""
        sure = copy(self)
        sure._confirmed = tuple(environments)  # noqa: SLF001  (it is one of us)
        return sure

    def close(self) -> None:
        """Ask nothing more, and follow nothing to its end; a second call does nothing."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def subscribe(self) -> Subscription:
        """A subscription that never tells anything: what changes is seen in the database."""
        return Hub().subscribe()

    def active(self) -> tuple[int, ...]:
        """No runs: nothing is worked on here."""
        return ()

    @property
    def trouble(self) -> str:
        """What keeps an executor of that database from working, such as a full disk."""
        return trouble_at(self._files)

    @property
    def is_stuck(self) -> bool:
        """Never: nothing is recorded from here."""
        return False

    @property
    def is_held_up(self) -> bool:
        """Never, for the same reason."""
        return False

    def lose_patience(self) -> None:
        """Do nothing: nothing waits for a disk here."""

    def wait(self) -> None:
        """Return at once: nothing is worked on here."""

    # Runs

    def start_run(
        self,
        loaded: Runnable,
        trigger: TriggerContext | None = None,
        *,
        simulated: bool = False,
    ) -> Future[int]:
        """Have a pipeline started that the owner offers; the future is the run's id."""
        return self.start_file(Path(loaded.file), trigger, simulated=simulated)

    def start_file(
        self, file: Path, trigger: TriggerContext | None = None, *, simulated: bool = False
    ) -> Future[int]:
        """Have a pipeline started that the owner offers; the future is the run's id."""
        trigger = trigger or TriggerContext()
        errand = Start(
            key=_new_key(),
            file=os.path.abspath(file),  # noqa: PTH100  (absolute() leaves `..` in it)
            event=trigger.event,
            branch=trigger.branch,
            labels=trigger.labels,
            changed=trigger.changed,
            variables=trigger.variables,
            simulated=simulated,
        )
        return self._number(errand)

    def follow_run(self, run_id: int) -> Future[Run]:
        """Wait for the end of a run, which may also be that its executor dies."""
        return self._threads.submit(self._follow_run, run_id)

    def left_stages(self, run_id: int) -> Future[tuple[LeftStage, ...]]:  # noqa: ARG002
        """What only the owner of the database can see: here, nothing."""
        return self._threads.submit(tuple)

    def resume(
        self,
        run_id: int,
        *,
        take_over: str | None = None,
        settled: Mapping[str, Settlement] | None = None,
    ) -> Future[str]:
        """Have an interrupted run gone on with; the future is that it does.

        Raises Refused for a takeover, and for stages to settle.
        """
        if take_over is not None:
            raise Refused("Only the owner of the database takes a run over")
        if settled:
            raise Refused("Only the owner of the database says what became of a lost stage")
        return self._answer(Resume(key=_new_key(), run=run_id))

    def cancel(self, run_id: int) -> Future[str]:
        """Stop a run; the future is what that did."""
        return self._answer(Cancel(key=_new_key(), run=run_id))

    def approve(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Approve a waiting stage; the future is what that did."""
        return self._answer(Approve(key=_new_key(), run=run_id, stage=stage, comment=comment))

    def reject(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        """Reject a waiting stage; the future is what that did."""
        return self._answer(Reject(key=_new_key(), run=run_id, stage=stage, comment=comment))

    def acknowledge(self, run_id: int, comment: str = "") -> Future[str]:
        """Say that somebody has seen how a run went wrong; the future is what that did."""
        return self._answer(Acknowledge(key=_new_key(), run=run_id, comment=comment))

    def rule(self, ruling: Ruling, identity: int, reason: str = "") -> Future[str]:
        """Pin or unpin a release, or lift a quarantine; the future is what that did."""
        return self._answer(Rule(key=_new_key(), ruling=ruling, subject=identity, reason=reason))

    # Rollbacks

    def plan_rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[RollbackPlan]:
        """What a rollback would do now; raises Refused for another definition."""
        _refuse_definition(definition)
        errand = Plan(key=_new_key(), run=run_id, demand=demand)
        return self._threads.submit(self._planned, errand)

    def rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        """Roll a run back; the rollback's id. Raises Refused for another definition."""
        _refuse_definition(definition)
        return self._number(Rollback(key=_new_key(), run=run_id, demand=demand))

    def rehearse(
        self,
        run_id: int,
        demand: RollbackDemand = EVERYTHING,
        definition: Runnable | None = None,
    ) -> Future[int]:
        """Do all of a rollback but its undos; its id. Raises Refused for another definition."""
        _refuse_definition(definition)
        return self._number(Rehearse(key=_new_key(), run=run_id, demand=demand))

    def follow_rollback(self, rollback_id: int) -> Future[RollbackEvent]:
        """Wait for the end of a rollback."""
        return self._threads.submit(self._follow, rollback_id)

    def halt(self, rollback_id: int, reason: str) -> Future[str]:
        """Stop a rollback at its present step; the future is what that did."""
        return self._answer(Halt(key=_new_key(), rollback=rollback_id, reason=reason))

    def decide_step(
        self, rollback_id: int, action: StepAction, reason: str, stage: str = ""
    ) -> Future[str]:
        """Decide how a rollback goes on after a step that failed; the future is what that did."""
        return self._answer(
            Decide(key=_new_key(), rollback=rollback_id, action=action, reason=reason, stage=stage)
        )

    # The executor

    def _answer(self, errand: AnyErrand) -> Future[str]:
        return self._threads.submit(lambda: self._asked(errand).answer)

    def _number(self, errand: AnyErrand) -> Future[int]:
        return self._threads.submit(lambda: int(self._asked(errand).answer))

    def _asked(self, errand: AnyErrand) -> Done:
        try:
            return self._messenger.ask(replace(errand, confirmed=self._confirmed))
        except Unconfirmed as refused:
            self._told.update(refused.environments)
            raise

    def _planned(self, errand: AnyErrand) -> RollbackPlan:
        plan = self._messenger.ask(errand).plan
        if plan is None:
            raise Refused("The executor made no plan")
        return plan

    def _follow_run(self, run_id: int) -> Run:
        history = History(self._path, hands_off=True)
        try:
            while (run := history.run(run_id)).status in UNDER_WAY:
                self._wait_a_moment()
        finally:
            history.close()
        return run

    def _wait_a_moment(self) -> None:
        """Raise Refused once this is closed: who leaves does not wait for the end."""
        if self._closed.wait(_LOOK_INTERVAL_S):
            raise Refused("It is not followed any more")

    def _follow(self, rollback_id: int) -> RollbackEvent:
        history = History(self._path, hands_off=True)
        try:
            while True:
                lives = is_alive(history.files, history.rollback(rollback_id).epoch)
                event = history.rollback(rollback_id)
                if event.status in ENDED_ROLLBACKS:
                    return event
                if not lives:
                    raise Refused(
                        f"The executor of rollback {rollback_id} ended before it was done",
                        next_step=f"See what became of it: orchestrate-tui show {event.run_id}",
                    )
                self._wait_a_moment()
        finally:
            history.close()


def _refuse_definition(definition: Runnable | None) -> None:
    if definition is not None:
        raise Refused(OTHER_DEFINITION, next_step=OWN_DEFINITION)


def _new_key() -> str:
    return uuid4().hex
