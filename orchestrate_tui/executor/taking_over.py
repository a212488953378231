"""Takes over runs that another executor left, with what still goes on of their work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

from orchestrate_tui.agents.left_programs import LeftPrograms
from orchestrate_tui.agents.leftovers import end_leftovers
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.keys import CHECK
from orchestrate_tui.domain.pipeline import DEFAULT_GRACE_S
from orchestrate_tui.domain.run import Run, Settlement, StageRun
from orchestrate_tui.domain.status import RunStatus, StageStatus, StepStatus, standing
from orchestrate_tui.errors import Refused, StaleTransition
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.inbox import refuse_waiting
from orchestrate_tui.executor.left_work import (
    LeftStage,
    LeftWork,
    Survey,
    check_settled,
    end_all,
)
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.runs import Runs
from orchestrate_tui.executor.secrets import check_complete
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.executor.standstill import check_gone, standstill
from orchestrate_tui.executor.taking_up import adopt, is_ending, left_behind, take_up
from orchestrate_tui.store.attendance import named
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import Takeover, check_untaken, read_owner, take_over
from orchestrate_tui.store.recovery import interrupt

_NOTHING_SETTLED: Mapping[str, Settlement] = MappingProxyType({})


class TakingOver:
    """Becomes the owner of runs, and of what is left of the work on them."""

    def __init__(
        self, executor: ExecutorContext, records: Records, runs: Runs, left: LeftPrograms
    ) -> None:
        self._executor = executor
        self._records = records
        self._runs = runs
        self._left = left

    async def resume(
        self, run: Run, takeover: Takeover, settled: Mapping[str, Settlement] = _NOTHING_SETTLED
    ) -> Run:
        """Go on with an interrupted run, or with one that is taken from another executor.

        What its stages' host still has is taken back. `settled` says what became of stages that
        are lost. Raises Refused when this executor works on it or something has to be settled
        first, StaleTransition when somebody else took it over in between, CannotStart without one
        of its secrets.
        """
        if run.id in self._runs.sessions or self._runs.is_unbegun(run):
            who = self._records.owner(self._executor.epoch)
            raise Refused(f"Run {run.id} is worked on by this process, that of {who}")
        self._runs.refuse_taken_up(run.id)
        if not run.simulated:
            check_complete(self._records.secrets(run))
        check_gone(self._executor, run.epoch, is_forced=takeover.is_forced)
        self._check_settled(run, settled, takeover)
        async with self._runs.taking_up(run.id, takeover.actor):
            left = await self._take_over(run, takeover)
            self._check_taken(run, left, settled)
            session = self._records.session(self._records.run(run.id), left)
            self._go_on(session, settled, takeover.actor)
        return await self._runs.work(session)

    def left_stages(self, run: Run) -> tuple[LeftStage, ...]:
        """How the stages of an interrupted run stand; nothing that was ending is to be settled."""
        stages = self._records.stages(run.id)
        if self._is_ending(run, stages):
            return ()
        return self._survey(run).stages(stages, self._records.boot(run.epoch))

    def _is_ending(self, run: Run, stages: tuple[StageRun, ...]) -> bool:
        return is_ending(self._records.context(run), stages, self._records.rollbacks(run.id))

    def _check_settled(
        self, run: Run, settled: Mapping[str, Settlement], takeover: Takeover
    ) -> None:
        """Raise Refused when something is to be settled, or was ended by who took the run over."""
        try:
            check_settled(run, self.left_stages(run), settled)
        except Refused:
            read = self._executor.database.read
            read(partial(self._refuse_taken, run=run, takeover=takeover))
            # who took it and lives no more had its end recorded before
            read(partial(check_untaken, run_id=run.id, seen=run.epoch, status=run.status))
            raise

    def _check_taken(self, run: Run, left: LeftWork, settled: Mapping[str, Settlement]) -> None:
        """Raise Refused when something got lost while it was to be taken back."""
        stages = self._records.stages(run.id)
        if self._is_ending(run, stages):
            return
        lost = self._survey(run).lost(stages, left)
        check_settled(run, [one for one in lost if one.stage_name not in settled], {})

    def _go_on(self, session: RunSession, settled: Mapping[str, Settlement], actor: str) -> None:
        """Take back and settle what was under way, and prepare to go on from there."""
        run_id = session.context.id
        stages = self._records.stages(run_id)
        interrupted = [stage for stage in stages if stage.status is StageStatus.INTERRUPTED]
        for stage in interrupted:
            if stage.stage_name not in settled and session.has_left(stage):
                session.take_back(stage.stage_name)
        names = [stage.stage_name for stage in interrupted if stage.stage_name in settled]
        session.settle({name: settled[name] for name in names}, actor)
        take_up(session, stages, self._records.rollbacks(run_id))

    async def stopped(self, run: Run, reason: str, actor: str) -> RunSession:
        """A session of a run that nobody works on, told to end as cancelled.

        Raises Refused when the run is not interrupted, or was being rolled back.
        """
        if run.status is not RunStatus.INTERRUPTED and not self._runs.is_unbegun(run):
            raise Refused(
                f"Run {run.id} {standing(run.status)}: another executor went on with it",
                next_step="Ask again",
            )
        self.refuse_lost_rollback(run.id)
        async with self._runs.taking_up(run.id, actor):
            await end_all(await self._take_over(run, self._executor.takeover(actor)))
            session = self._records.session(run, starts_stages=False)
        session.halt(reason, RunStatus.CANCELLED)
        return session

    def refuse_lost_rollback(self, run_id: int) -> None:
        """Raise Refused when the executor of a rollback of the run died before its end."""
        for event in self._records.left_rollbacks(run_id):
            if not self._records.is_alive(event.epoch):
                raise Refused(
                    f"The executor of rollback {event.id} of run {run_id} died before its end",
                    next_step=f"Finish it first with: orchestrate-tui resume {run_id}",
                )

    async def _take_over(self, run: Run, takeover: Takeover) -> LeftWork:
        """Become the owner; returns what is left of the work of the one before."""
        executor, owner = self._executor, run.epoch

        def change(connection: Connection) -> tuple[RollbackEvent, ...]:
            self._refuse_taken(connection, run, takeover)
            take_over(connection, run.id, seen=owner, status=run.status, takeover=takeover)
            if takeover.is_forced and run.status is not RunStatus.INTERRUPTED:
                interrupt(
                    connection, run.id, epoch=executor.epoch, expected=run.status,
                    reason=takeover.sentence, at=takeover.at,
                )  # fmt: skip
            left = left_behind(connection, run.id, owner, executor)
            adopt(connection, left, executor, takeover)
            unanswered = f"Run {run.id} was taken over by {takeover.actor} before this was answered"
            refuse_waiting(connection, run.id, unanswered, executor)
            return left

        running = self._records.running(run, self._records.left_rollbacks(run.id))
        async with standstill(executor, owner, running, is_forced=takeover.is_forced):
            left = await executor.commit(change, Change(run_id=run.id))
        return await self.take_left(run, left)

    def _refuse_taken(self, connection: Connection, run: Run, takeover: Takeover) -> None:
        """Raise StaleTransition when an executor that lives has taken an interrupted run."""
        is_others = run.status is RunStatus.INTERRUPTED and run.epoch != self._executor.epoch
        if is_others and not takeover.is_forced and self._records.is_alive(run.epoch):
            who = named(self._executor.database.files, read_owner(connection, run.epoch))
            raise StaleTransition(
                f"Run {run.id} is just being taken up by {who}",
                next_step=f"See it with: orchestrate-tui show {run.id}",
            )

    async def take_left(self, run: Run, events: Iterable[RollbackEvent]) -> LeftWork:
        """Take back what a dead executor's stages and undos left, and end what cannot be.

        Services, which stages of agents with `leaves_processes` start, are kept.
        """
        records, known, left = self._records, tuple(events), LeftWork()
        survey = self._survey(run)
        await survey.take_stages(left, records.stages(run.id), records.boot(run.epoch))
        for event in known:
            steps = records.steps(event.id or 0)
            await survey.take_steps(left, event, steps, records.boot(event.epoch))
        await self._end_lost(run, known, left)
        return left

    async def _end_lost(self, run: Run, left: Iterable[RollbackEvent], work: LeftWork) -> None:
        context = self._records.context(run)
        attempts = self._records.attempts(context, work)
        key_of = attempts.instructions.idempotency_key
        keys = [
            key_of(stage.stage_name)
            for stage in self._records.stages(run.id)
            if stage.status is StageStatus.INTERRUPTED
            and not _leaves_processes(context, stage.agent)
            and not attempts.goes_on(stage.stage_name, stage.attempt)
        ]
        for event in left:
            keys += [
                key_of(step.part, event.id) + part
                for part in ("", CHECK)
                for step in self._records.steps(event.id or 0)
                if step.status is StepStatus.INTERRUPTED
                and not _leaves_processes(context, step.agent)
                and not attempts.goes_on(step.part, step.attempt, event.id)
            ]
        if keys:
            folder = self._executor.database.files.run(run.id)
            await end_leftovers(keys, DEFAULT_GRACE_S, folder)

    def _survey(self, run: Run) -> Survey:
        """What looks how the work of a dead executor on the run stands."""
        context = self._records.context(run)
        return Survey(self._left, context, self._records.instructions(context))


def _leaves_processes(context: RunContext, agent_name: str) -> bool:
    agent = context.pipeline.agent(agent_name)
    return agent is not None and agent.leaves_processes
