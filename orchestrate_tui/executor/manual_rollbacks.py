"""Rollbacks that an operator asks for, whatever state the run is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import anyio

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, ENDED_RUNS, RunStatus, standing
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import SAY_WHY, NoRoom, Refused, RollbackRefused
from orchestrate_tui.executor.asking import Asking
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.demand import accept, applicant_of
from orchestrate_tui.executor.ended import EndedRunRollback
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.left_work import LeftWork, end_all
from orchestrate_tui.executor.receipts import Receipt
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.requests import (
    being_taken_up,
    recorded_later,
    rollback_has_ended,
)
from orchestrate_tui.executor.rollback import halt_sentence
from orchestrate_tui.executor.runs import Runs
from orchestrate_tui.executor.standstill import standstill
from orchestrate_tui.executor.taking_over import TakingOver
from orchestrate_tui.executor.taking_up import adopt, decide_left, halt_left
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.commands import CommandKind
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import Takeover

FOLLOW_INTERVAL_S = 0.05

Accepted = Callable[[int], None]
"""Is told the id of a rollback once it is recorded."""


class ManualRollbacks:
    """Plans, begins, follows and halts rollbacks.

    `active` has the rollbacks of ended runs that this executor carries out, by run id.
    """

    def __init__(
        self,
        executor: ExecutorContext,
        records: Records,
        runs: Runs,
        taking_over: TakingOver,
        asking: Asking,
        *,
        active: dict[int, EndedRunRollback],
    ) -> None:
        self._executor = executor
        self._records = records
        self._runs = runs
        self._taking_over = taking_over
        self._asking = asking
        self.active = active

    async def trigger(
        self, run_id: int, demand: RollbackDemand, actor: str, accepted: Accepted, key: str = ""
    ) -> RollbackEvent:
        """Carry a demand out; returns the rollback as it ended. Raises NotFound or Refused."""
        if demand.force and not demand.reason.strip():
            raise RollbackRefused("A forced rollback needs a reason", next_step=SAY_WHY)
        run = self._asking.standing(run_id)
        demand = replace(demand, reason=self._records.secrets(run).masked(demand.reason))
        receipt = Receipt(
            key=key,
            run_id=run_id,
            kind=CommandKind.ROLLBACK,
            actor=actor,
            payload=demand.to_payload(),
        )
        if run.status is RunStatus.INTERRUPTED and run_id not in self._runs.sessions:
            return await self._roll_back_interrupted(run, demand, receipt, accepted)
        if run.status not in ENDED_RUNS:
            try:
                answer = await self._asking.ask(
                    run, CommandKind.ROLLBACK, demand.to_payload(), actor, key=key
                )
            except Refused:
                run = self._records.run(run_id)
                if run.status not in ENDED_RUNS:
                    raise
            else:
                accepted(int(answer))
                return await self.follow(int(answer))
        return await self._roll_back_ended(run, demand, receipt, accepted)

    async def follow(self, rollback_id: int) -> RollbackEvent:
        """Wait for the end of a rollback. Raises Refused when its executor died or gave it up."""
        while True:
            is_left = self._is_left(self._records.rollback(rollback_id))
            event = self._records.rollback(rollback_id)
            if event.status in ENDED_ROLLBACKS:
                return event
            if is_left:
                raise Refused(
                    f"The executor of rollback {rollback_id} ended before it was done",
                    next_step=f"Go on with: orchestrate-tui resume {event.run_id}",
                )
            await anyio.sleep(FOLLOW_INTERVAL_S)

    async def halt(self, rollback_id: int, actor: str, reason: str, key: str = "") -> str:
        """Stop a rollback at its present step. Raises NotFound or Refused."""
        event = self._records.rollback(rollback_id)
        if event.status in ENDED_ROLLBACKS:
            raise rollback_has_ended(event)
        run = self._records.run(event.run_id)
        reason = self._records.secrets(run).masked(reason)
        if event.run_id in self.active and not key:
            return self.active[event.run_id].halt(rollback_id, actor, reason)
        if event.epoch == self._executor.epoch and not self._is_carried_out(event):
            raise being_taken_up(event.run_id)
        if self._is_left(event):
            await self._halt_left(event, actor, halt_sentence(actor, reason))
            return f"Rollback {rollback_id} is halted"
        payload = {"rollback": str(rollback_id), "reason": reason}
        try:
            return await self._asking.ask(
                run, CommandKind.HALT, payload, actor, owner=event.epoch, key=key
            )
        except NoRoom as no_room:
            if event.run_id not in self.active:
                raise
            said = self.active[event.run_id].halt(rollback_id, actor, reason)
            raise recorded_later(said, event.run_id, no_room) from no_room

    async def decide(
        self, rollback_id: int, decision: StepDecision, key: str = ""
    ) -> tuple[str, int | None]:
        """Decide about a step that waits; what that did, and the run that is to be resumed.

        None to resume means that somebody carries the rollback out. Raises NotFound or Refused.
        """
        event = self._records.rollback(rollback_id)
        if event.status in ENDED_ROLLBACKS:
            raise rollback_has_ended(event)
        run = self._records.run(event.run_id)
        reason = self._records.secrets(run).masked(decision.reason)
        decision = replace(decision, reason=reason.strip())
        if not decision.reason:
            raise Refused("A decision needs a reason", next_step=SAY_WHY)
        if event.run_id in self.active and not key:
            return await self.active[event.run_id].decide(rollback_id, decision), None
        if event.epoch == self._executor.epoch and not self._is_carried_out(event):
            raise being_taken_up(event.run_id)
        if self._is_left(event):
            return await self._decide_left(event, decision, key), event.run_id
        payload = decision.to_payload(rollback_id)
        answer = await self._asking.ask(
            run, CommandKind.STEP, payload, decision.actor, owner=event.epoch, key=key
        )
        return answer, None

    async def _decide_left(self, event: RollbackEvent, decision: StepDecision, key: str) -> str:
        """Record a decision about a rollback whose executor died."""
        executor, rollback_id = self._executor, event.id or 0
        answer = f"Rollback {rollback_id} goes on: {decision.sentence}"
        receipt = Receipt(
            key=key,
            run_id=event.run_id,
            kind=CommandKind.STEP,
            actor=decision.actor,
            payload=decision.to_payload(rollback_id),
        )
        keep = receipt.writer(executor, lambda: answer)

        def decide(connection: Connection) -> None:
            decide_left(connection, event, decision, executor)
            keep(connection)

        told = Change(run_id=event.run_id, rollback_id=rollback_id)
        await executor.commit(decide, told, is_patient=False)
        return answer

    async def resume(self, run: Run, takeover: Takeover) -> Run:
        """Finish what an executor left of the rollbacks of an ended run, or what is taken from it.

        Raises Refused when there is nothing.
        """
        unended = self._records.left_rollbacks(run.id)
        left = [event for event in unended if self._may_take(event, takeover)]
        if not left:
            raise self._nothing_to_resume(run, unended)
        async with self._runs.taking_up(run.id, takeover.actor):
            await self._adopt(run, left, takeover)
            work = await self._taking_over.take_left(run, left)
        for event in left:
            await self._carry_out(run, event.id or 0, work)
        return self._records.run(run.id)

    def _may_take(self, event: RollbackEvent, takeover: Takeover) -> bool:
        is_others = event.epoch != self._executor.epoch
        return self._is_left(event) or (takeover.is_forced and is_others)

    def _nothing_to_resume(self, run: Run, unended: Iterable[RollbackEvent]) -> Refused:
        owners = [event.epoch for event in unended]
        if run.status not in ENDED_RUNS:
            owners.insert(0, run.epoch)
        if not owners:
            because = f" ({run.reason})" if run.reason and run.status in ENDED_RUNS else ""
            return Refused(
                f"Run {run.id} {standing(run.status)}{because}; only an interrupted one is resumed",
                next_step=f"See it with: orchestrate-tui show {run.id}",
            )
        who = self._records.owner(owners[0])
        if owners[0] == self._executor.epoch:
            return Refused(
                f"Run {run.id} {standing(run.status)}; only an interrupted one is resumed, and"
                f" this process, that of {who}, works on it"
            )
        return Refused(
            f"Run {run.id} {standing(run.status)}; only an interrupted one is resumed, and"
            f" {who} works on it",
            next_step="If that process hangs, take it over with:"
            f" orchestrate-tui resume {run.id} --take-over --reason TEXT",
        )

    async def _adopt(
        self,
        run: Run,
        events: Sequence[RollbackEvent],
        takeover: Takeover,
        *,
        goes_on: bool = True,
    ) -> None:
        executor, running = self._executor, self._records.running(run, events)
        async with AsyncExitStack() as stopped:
            for owner in {event.epoch for event in events}:
                still = standstill(executor, owner, running, is_forced=takeover.is_forced)
                await stopped.enter_async_context(still)
            await executor.commit(
                partial(
                    adopt, events=events, executor=executor, takeover=takeover, goes_on=goes_on
                ),
                Change(run_id=run.id),
                is_patient=goes_on,
            )

    async def _halt_left(self, event: RollbackEvent, actor: str, sentence: str) -> None:
        """End a rollback whose executor died, and what that left running of it."""
        executor = self._executor
        run = self._records.run(event.run_id)
        async with self._runs.taking_up(run.id, actor):
            await self._adopt(run, (event,), executor.takeover(actor), goes_on=False)
            await end_all(await self._taking_over.take_left(run, (event,)))
            await executor.commit(
                partial(halt_left, rollback_id=event.id or 0, sentence=sentence, executor=executor),
                Change(run_id=event.run_id, rollback_id=event.id),
            )

    def _is_left(self, event: RollbackEvent) -> bool:
        """Whether nobody carries it out any more; what this executor gives up, it lets go of."""
        return not self._records.is_alive(event.epoch)

    def _is_carried_out(self, event: RollbackEvent) -> bool:
        """Whether this executor works on it by now; it is about to, where it is its own."""
        return event.run_id in self.active or event.run_id in self._runs.sessions

    async def _roll_back_ended(
        self, run: Run, demand: RollbackDemand, receipt: Receipt, accepted: Accepted
    ) -> RollbackEvent:
        self._taking_over.refuse_lost_rollback(run.id)
        context = self._records.context(run)
        applicant = applicant_of(self._executor, receipt.actor)

        def insert(connection: Connection) -> int:
            event = accept(connection, context, demand, applicant)
            rollback_id = rollbacks.insert(connection, event)
            receipt.writer(self._executor, lambda: str(rollback_id))(connection)
            return rollback_id

        told = Change(run_id=run.id)
        rollback_id = await self._executor.commit(insert, told, is_patient=False)
        accepted(rollback_id)
        return await self._carry_out(run, rollback_id)

    async def _roll_back_interrupted(
        self, run: Run, demand: RollbackDemand, receipt: Receipt, accepted: Accepted
    ) -> RollbackEvent:
        """Cancel what an executor left, and roll it back."""
        self._taking_over.refuse_lost_rollback(run.id)
        context = self._records.context(run)
        actor = receipt.actor
        applicant = applicant_of(self._executor, actor)
        event = self._executor.database.read(
            partial(accept, context=context, demand=demand, applicant=applicant)
        )
        session = await self._taking_over.stopped(run, f"stopped by {actor} for a rollback", actor)
        queued = session.rollbacks.insert(event, session.turns.present)
        keep = receipt.writer(self._executor, lambda: str(queued.id))
        session.turns.present.others.append(keep)
        session.turns.present.afterwards.append(lambda: accepted(queued.id))
        await self._runs.work(session)
        return self._records.rollback(queued.id)

    async def _carry_out(
        self, run: Run, rollback_id: int, left: LeftWork | None = None
    ) -> RollbackEvent:
        context = self._records.context(run)
        attempts = self._records.attempts(context, left)
        rollback = EndedRunRollback(self._executor, context, attempts, rollback_id)
        self.active[run.id] = rollback
        try:
            event = await rollback.run()
        except BaseException:
            await self._runs.let_go(run.id)
            raise
        finally:
            del self.active[run.id]
        if context.secrets.has_any:
            self._records.remove_outputs(run.id)
        return event
