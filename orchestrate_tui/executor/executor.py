"""Runs pipelines and rollbacks: the one class through which all of it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio

from orchestrate_tui.agents.contract import Launcher
from orchestrate_tui.agents.launcher import DirectLauncher
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.rollback import RollbackPlan
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, ENDED_RUNS, RunStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor import remote
from orchestrate_tui.executor.attempts import Attempts
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.demand import Applicant, RollbackDemand, accept, check_stages
from orchestrate_tui.executor.ended import EndedRunRollback, adopt, left_rollbacks, take_up
from orchestrate_tui.executor.hub import Change, Hub
from orchestrate_tui.executor.inbox import watch
from orchestrate_tui.executor.people import People, current_user
from orchestrate_tui.executor.requests import Request
from orchestrate_tui.executor.rollback import plan_request
from orchestrate_tui.executor.service import ask
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.approvals import approvals_of
from orchestrate_tui.store.commands import Command, CommandKind
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database, open_database
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.history import outputs_of, read_run, stages_of
from orchestrate_tui.store.owners import Ownership, is_alive
from orchestrate_tui.store.recovery import as_it_stands, mark_interrupted
from orchestrate_tui.store.runs import NewRun, insert_run, take_over

T = TypeVar("T")

FOLLOW_INTERVAL_S = 0.05


class PipelineExecutor:
    """Creates, runs, resumes, cancels and rolls back runs, in the event loop that calls it.

    `database` is a Database, which stays the caller's, or the path of one. What is asked about
    a run that another process works on is passed on to that process.
    """

    def __init__(
        self,
        database: Database | Path | str,
        *,
        launcher: Launcher | None = None,
        people: People | None = None,
        clock: Callable[[], datetime] = utc_now,
        hub: Hub | None = None,
    ) -> None:
        self._is_own = not isinstance(database, Database)
        self.database = database if isinstance(database, Database) else open_database(database)
        self.hub = hub or Hub()
        self._ownership = Ownership(self.database, current_user(), clock())
        self._context = ExecutorContext(
            database=self.database,
            epoch=self._ownership.epoch,
            launcher=launcher or DirectLauncher(),
            hub=self.hub,
            people=people or People(),
            clock=clock,
        )
        self._sessions: dict[int, RunSession] = {}
        self._rollbacks: dict[int, EndedRunRollback] = {}
        mark_interrupted(self.database, clock())

    def close(self) -> None:
        """Work on nothing any more; a database that was given as a path is closed."""
        self._ownership.release()
        self.database.release_reader()
        if self._is_own:
            self.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def active(self) -> tuple[int, ...]:
        """The runs that this executor works on, rollbacks of ended ones included."""
        return (*self._sessions, *self._rollbacks)

    # Runs

    async def create_run(
        self,
        pipeline: Pipeline,
        trigger: TriggerContext | None = None,
        *,
        simulated: bool = False,
        source: str = "",
        workdir: Path | None = None,
        pipeline_dir: Path | None = None,
        actor: str = "",
    ) -> int:
        """Record a run, all of its stages pending; returns its id.

        `workdir` None means the present folder. `actor` "" means the operating system's user.
        """
        new = NewRun(
            pipeline=pipeline,
            source=source,
            trigger=trigger or TriggerContext(),
            actor=actor or current_user(),
            simulated=simulated,
            workdir=_folder(workdir or Path()),
            pipeline_dir=_folder(pipeline_dir) if pipeline_dir else "",
            epoch=self._context.epoch,
            at=self._context.clock(),
        )
        run_id = await self._context.commit(partial(insert_run, new=new))
        self.hub.publish((Change(run_id=run_id),))
        return run_id

    async def execute_run(self, run_id: int) -> Run:
        """Work on a run until it has ended; returns it as it ended.

        Cancelling this call cancels the run, waits for its end, and is then raised again; a
        rollback that is under way is finished first. Raises NotFound, or Refused for a run that
        was begun before.
        """
        run = self._run(run_id)
        if run.status is not RunStatus.PENDING or run.epoch != self._context.epoch:
            raise Refused(
                f"Run {run_id} is {run.status} and cannot be started",
                next_step=f"See it with: orchestrate-tui show {run_id}",
            )
        return await self._work(self._session(run))

    async def resume_run(self, run_id: int) -> Run:
        """Go on with a run whose executor died; finished stages do not run again.

        Raises NotFound, or Refused when the run is not interrupted.
        """
        mark_interrupted(self.database, self._context.clock())
        run = self._run(run_id)
        left = self._read(left_rollbacks, run_id)
        if run.status is not RunStatus.INTERRUPTED:
            return await self._resume_rollbacks(run, left)
        await self._take_over(run, left)
        session = self._session(run)
        take_up(session, self._read(stages_of, run_id), left)
        return await self._work(session)

    async def _resume_rollbacks(self, run: Run, left: Iterable[RollbackEvent]) -> Run:
        """Finish the rollbacks of an ended run whose executor died."""
        lost = [event for event in left if not is_alive(self.database.files, event.epoch)]
        if not lost:
            raise Refused(
                f"Run {run.id} is {run.status}; only an interrupted one is resumed",
                next_step=f"See it with: orchestrate-tui show {run.id}",
            )
        await self._context.commit(partial(adopt, events=lost, epoch=self._context.epoch))
        for event in lost:
            await self._carry_out(run, event.id or 0)
        return self._run(run.id)

    async def _take_over(self, run: Run, left: Iterable[RollbackEvent]) -> None:
        epoch = self._context.epoch

        def change(connection: Connection) -> None:
            take_over(connection, run.id, seen=run.epoch, epoch=epoch)
            adopt(connection, left, epoch)

        await self._context.commit(change)

    async def _work(self, session: RunSession) -> Run:
        run_id = session.context.id
        self._sessions[run_id] = session
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, session)
                tasks.start_soon(_stop_when_cancelled, session)
                with anyio.CancelScope(shield=True):
                    await session.run()
                tasks.cancel_scope.cancel()
        finally:
            del self._sessions[run_id]
        return self._run(run_id)

    async def _watch(self, session: RunSession) -> None:
        def handle(command: Command) -> None:
            ask(session, Request.from_command(command))

        await watch(self._context, session.context.id, handle)

    # Rollbacks

    async def plan_rollback(
        self, run_id: int, from_stage: str, to_stage: str | None = None
    ) -> RollbackPlan:
        """What a rollback would do now; `to_stage` None means the failed stage itself.

        Raises NotFound for an unknown run or stage, RollbackRefused for an impossible target.
        """
        context = self._run_context(self._run(run_id))
        check = partial(
            check_stages, context=context, from_stage=from_stage, to_stage=to_stage or ""
        )
        self.database.read(check)
        return plan_request(context, self._read(stages_of, run_id), from_stage, to_stage)

    async def trigger_rollback(
        self,
        run_id: int,
        from_stage: str,
        to_stage: str | None = None,
        *,
        reason: str = "",
        actor: str = "",
        plan_hash: str = "",
        accept_irreversible: bool = False,
        retry: bool = False,
        accepted: Callable[[int], None] = lambda _rollback_id: None,
    ) -> RollbackEvent:
        """Roll a run back by hand; returns the rollback as it ended.

        A running run is stopped first. `plan_hash` is that of the plan that was shown; "" takes
        any plan. `accepted` is told the id once the rollback is recorded. Raises NotFound, or
        RollbackRefused when it may not start, and then no event is written.
        """
        demand = RollbackDemand(
            from_stage=from_stage,
            to_stage=to_stage or "",
            reason=reason,
            plan_hash=plan_hash,
            accept_irreversible=accept_irreversible,
            retry=retry,
        )
        who = actor or current_user()
        run = as_it_stands(self._run(run_id), self.database.files)
        if run.status in ENDED_RUNS:
            return await self._roll_back_ended(run, demand, who, accepted)
        if run.status is RunStatus.INTERRUPTED:
            return await self._roll_back_interrupted(run, demand, who, accepted)
        answer = await self._ask(run, CommandKind.ROLLBACK, demand.to_payload(), who)
        accepted(int(answer))
        return await self.follow_rollback(int(answer))

    async def follow_rollback(self, rollback_id: int) -> RollbackEvent:
        """Wait for the end of a rollback, whoever carries it out.

        Raises Refused when its executor died.
        """
        while True:
            lives = is_alive(self.database.files, self._rollback(rollback_id).epoch)
            event = self._rollback(rollback_id)
            if event.status in ENDED_ROLLBACKS:
                return event
            if not lives:
                raise Refused(
                    f"The executor of rollback {rollback_id} ended before it was done",
                    next_step=f"Go on with: orchestrate-tui resume {event.run_id}",
                )
            await anyio.sleep(FOLLOW_INTERVAL_S)

    async def _roll_back_ended(
        self, run: Run, demand: RollbackDemand, actor: str, accepted: Callable[[int], None]
    ) -> RollbackEvent:
        context = self._run_context(run)
        applicant = self._applicant(actor)

        def insert(connection: Connection) -> int:
            event = accept(connection, context, demand, applicant)
            return rollbacks.insert(connection, event)

        rollback_id = await self._context.commit(insert, Change(run_id=run.id))
        accepted(rollback_id)
        return await self._carry_out(run, rollback_id)

    async def _roll_back_interrupted(
        self, run: Run, demand: RollbackDemand, actor: str, accepted: Callable[[int], None]
    ) -> RollbackEvent:
        """Cancel what an executor left, and roll it back."""
        mark_interrupted(self.database, self._context.clock())
        run = self._run(run.id)
        context = self._run_context(run)
        event = self.database.read(
            partial(accept, context=context, demand=demand, applicant=self._applicant(actor))
        )
        await self._take_over(run, ())
        session = self._session(run)
        session.halt(f"stopped by {actor} for a rollback", RunStatus.CANCELLED)
        queued = session.rollbacks.insert(event, session.turn)
        session.turn.afterwards.append(lambda: accepted(queued.id))
        await self._work(session)
        return self._rollback(queued.id)

    async def _carry_out(self, run: Run, rollback_id: int) -> RollbackEvent:
        context = self._run_context(run)
        rollback = EndedRunRollback(self._context, context, self._attempts(context), rollback_id)
        self._rollbacks[run.id] = rollback
        try:
            return await rollback.run()
        finally:
            del self._rollbacks[run.id]

    def _applicant(self, actor: str) -> Applicant:
        return Applicant(actor=actor, epoch=self._context.epoch, at=self._context.clock())

    # What people ask

    async def approve(self, run_id: int, stage: str, *, comment: str = "", actor: str = "") -> str:
        """Approve a waiting stage; returns what that did. Raises NotFound or Refused."""
        payload = {"stage": stage, "comment": comment}
        return await self._ask(self._run(run_id), CommandKind.APPROVE, payload, actor)

    async def reject(self, run_id: int, stage: str, *, comment: str = "", actor: str = "") -> str:
        """Reject a waiting stage; returns what that did. Raises NotFound or Refused."""
        payload = {"stage": stage, "comment": comment}
        return await self._ask(self._run(run_id), CommandKind.REJECT, payload, actor)

    async def cancel(self, run_id: int, *, actor: str = "") -> str:
        """Stop a run; returns what that did. Raises NotFound or Refused."""
        run = as_it_stands(self._run(run_id), self.database.files)
        if run.status is RunStatus.INTERRUPTED:
            return await self._cancel_interrupted(run, actor or current_user())
        return await self._ask(run, CommandKind.CANCEL, {}, actor)

    async def halt(self, rollback_id: int, *, reason: str = "", actor: str = "") -> str:
        """Stop a rollback at its present step. Raises NotFound or Refused."""
        event = self._rollback(rollback_id)
        who = actor or current_user()
        if event.status in ENDED_ROLLBACKS:
            raise Refused(f"Rollback {rollback_id} has ended: it {event.status}")
        if event.run_id in self._rollbacks:
            return self._rollbacks[event.run_id].halt(who, reason)
        payload = {"rollback": str(rollback_id), "reason": reason}
        return await self._ask(
            self._run(event.run_id), CommandKind.HALT, payload, who, owner=event.epoch
        )

    async def _cancel_interrupted(self, run: Run, actor: str) -> str:
        mark_interrupted(self.database, self._context.clock())
        run = self._run(run.id)
        left = self._read(left_rollbacks, run.id)
        if left:
            raise Refused(
                f"Run {run.id} was being rolled back when its executor died",
                next_step=f"Finish that first with: orchestrate-tui resume {run.id}",
            )
        await self._take_over(run, ())
        session = self._session(run)
        session.halt(f"cancelled by {actor}", RunStatus.CANCELLED)
        await self._work(session)
        return f"Run {run.id} is cancelled"

    async def _ask(
        self,
        run: Run,
        kind: CommandKind,
        payload: Mapping[str, str],
        actor: str,
        owner: int | None = None,
    ) -> str:
        """Ask whoever works on the run, here or in another process."""
        who = actor or current_user()
        session = self._sessions.get(run.id)
        if session is not None:
            request = Request(kind, who, payload)
            ask(session, request)
            return await request.answer()
        owner = run.epoch if owner is None else owner
        if owner is None or not is_alive(self.database.files, owner):
            raise self._nobody_works_on(run)
        if run.status in ENDED_RUNS and kind is not CommandKind.HALT:
            raise Refused(f"Run {run.id} has ended: it is {run.status}")
        return await remote.ask_owner(
            self._context, run_id=run.id, owner=owner, kind=kind, payload=payload, actor=who
        )

    def _nobody_works_on(self, run: Run) -> Refused:
        if run.status in ENDED_RUNS:
            return Refused(f"Run {run.id} has ended: it is {run.status}")
        return Refused(
            f"Run {run.id} is interrupted: its executor died",
            next_step=f"Go on with it first: orchestrate-tui resume {run.id}",
        )

    # Reading

    def _run(self, run_id: int) -> Run:
        return self._read(read_run, run_id)

    def _rollback(self, rollback_id: int) -> RollbackEvent:
        return self._read(rollbacks.read, rollback_id)

    def _read(self, query: Callable[[Connection, int], T], identity: int) -> T:
        return self.database.read(lambda connection: query(connection, identity))

    def _run_context(self, run: Run) -> RunContext:
        pipeline = self.database.read(partial(read_definition, digest=run.definition_hash))
        return RunContext(run=run, pipeline=pipeline, graph=StageGraph.of(pipeline.stages))

    def _attempts(self, context: RunContext) -> Attempts:
        outputs = self._read(outputs_of, context.id)
        return Attempts(context, self.database.files, self._context.launcher, outputs)

    def _session(self, run: Run) -> RunSession:
        context = self._run_context(run)
        stages = self._read(stages_of, run.id)
        decided = self._read(approvals_of, run.id)
        return RunSession(self._context, context, self._attempts(context), stages, decided)


def _folder(path: Path) -> str:
    return str(path.absolute())


async def _stop_when_cancelled(session: RunSession) -> None:
    """Pass a cancellation of the caller on to the run, unless a rollback is under way."""
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        if not session.rollbacks.is_busy:
            session.post(partial(session.stop, "cancelled with its executor"))
        raise
