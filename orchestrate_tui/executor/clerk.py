"""Does what other accounts ask of an executor, as far as its owner lets them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from typing import TypeVar

from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.access import Access
from orchestrate_tui.executor.confirming import check_confirmed
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.errands import (
    NEEDED,
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
from orchestrate_tui.executor.lines import Peer
from orchestrate_tui.store.commands import CommandStatus, find_command
from orchestrate_tui.store.database import Database

T = TypeVar("T")

LONGEST_ANSWER_S = 20.0
"""For the executor to answer; it goes on with what was asked all the same."""

_REFUSAL_S = 0.5
"""In which a run that is not resumed is refused."""

Starter = Callable[[Control, Start], Future[int]]
"""Starts a pipeline that is offered; the future is the run's id. Raises OrchestrateError."""


class Clerk:
    """Serves the peers of a Reception; may be called from any thread.

    `protected` are the environments that are so whatever a pipeline says.
    """

    def __init__(
        self,
        control: Control,
        database: Database,
        access: Access,
        start: Starter,
        protected: Collection[str] = (),
    ) -> None:
        self._control = control
        self._database = database
        self._access = access
        self._start = start
        self._protected = tuple(sorted(protected))

    def serve(self, errand: AnyErrand, peer: Peer) -> Done:
        """Do an errand and say what that did. Raises OrchestrateError."""
        self._access.check(peer.name, *NEEDED[type(errand)])
        key = f"{peer.uid}:{errand.key}"  # nobody can claim the answer to somebody else's
        try:
            answer = self._answered_before(key)
            if answer is None:
                check = partial(check_confirmed, errand=errand, configured=self._protected)
                self._database.read(check)
        finally:
            self._database.release_reader()
        if answer is not None:
            return Done(answer=answer)
        return self._do(errand, self._control.on_behalf_of(peer.name, key))

    def _answered_before(self, key: str) -> str | None:
        """The answer to the same errand, sent again because it was lost. Raises Refused."""
        command = self._database.read(partial(find_command, idempotency_key=key))
        if command is None or command.status is CommandStatus.PENDING:
            return None
        if command.status is CommandStatus.REFUSED:
            raise Refused(command.outcome)
        return command.outcome

    def _do(self, errand: AnyErrand, control: Control) -> Done:
        match errand:
            case Protected():
                return Done(protected=self._protected)
            case Plan(run=run, demand=demand):
                planned = control.plan_rollback(run, _checked(demand))
                return Done(plan=_without_contents(_result(planned)))
            case Resume(run=run):
                return Done(answer=_resumed(control, run))
            case Start():
                return Done(answer=str(_result(self._start(control, errand))))
            case Rehearse(run=run, demand=demand):
                return Done(answer=str(_result(control.rehearse(run, _checked(demand)))))
            case Rollback(run=run, demand=demand):
                return Done(answer=str(_result(control.rollback(run, _checked(demand)))))
            case _:
                return Done(answer=_result(_asked(control, errand)))


def _without_contents(plan: RollbackPlan) -> RollbackPlan:
    """The plan without lines of files, which not everybody may read who may roll back."""
    steps = (
        replace(step, changes=tuple(replace(one, diff=()) for one in step.changes))
        for step in plan.steps
    )
    return replace(plan, steps=tuple(steps))


def _asked(
    control: Control,
    errand: Approve | Reject | Cancel | Acknowledge | Decide | Halt | Rule,
) -> Future[str]:
    match errand:
        case Approve(run=run, stage=stage, comment=comment):
            return control.approve(run, stage, comment)
        case Reject(run=run, stage=stage, comment=comment):
            return control.reject(run, stage, comment)
        case Cancel(run=run):
            return control.cancel(run)
        case Acknowledge(run=run, comment=comment):
            return control.acknowledge(run, comment)
        case Decide(rollback=rollback, action=action, reason=reason, stage=stage):
            return control.decide_step(rollback, action, reason, stage)
        case Halt(rollback=rollback, reason=reason):
            return control.halt(rollback, reason)
        case Rule(ruling=ruling, subject=subject, reason=reason):
            return control.rule(ruling, subject, reason)


def _checked(demand: RollbackDemand) -> RollbackDemand:
    """What another account demands. Raises Refused for another definition than the run's own."""
    if demand.definition:
        raise Refused(OTHER_DEFINITION, next_step=OWN_DEFINITION)
    return demand


def _resumed(control: Control, run_id: int) -> str:
    """That the run goes on, unless that is refused at once."""
    work = control.resume(run_id)
    if wait([work], timeout=_REFUSAL_S).done:
        work.result()
    return f"Run {run_id} goes on"


def _result(asked: Future[T]) -> T:
    """What was answered. Raises the refusal, or Refused when there is no answer for long."""
    if not wait([asked], timeout=LONGEST_ANSWER_S).done:
        raise Refused(
            "The executor has not answered yet; what was asked is not given up",
            next_step="See what becomes of it: orchestrate-tui show RUN",
        )
    return asked.result()
