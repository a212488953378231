"""The runs that this executor works on, from their beginning to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

import anyio

from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import ENDED_RUNS, RunStatus, standing
from orchestrate_tui.errors import Fenced, OrchestrateError, Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.endurance import single_errors, to_the_end
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.inbox import refuse_commands, watch
from orchestrate_tui.executor.quarantine import check_allowed
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.requests import Request, being_taken_up, has_ended
from orchestrate_tui.executor.secrets import check_complete, secrets_of_pipeline
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.executor.versions import stored_version
from orchestrate_tui.store.commands import Command
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.definitions import encode_pipeline
from orchestrate_tui.store.fencing import (
    check_carried,
    check_owner,
    check_under_way,
    release,
)
from orchestrate_tui.store.former_logs import keep_apart
from orchestrate_tui.store.recovery import UNDER_WAY, mark_interrupted
from orchestrate_tui.store.runs import NewRun, insert_run


class Runs:
    """Works on runs, each in a session of its own; `sessions` has those by run id."""

    def __init__(self, executor: ExecutorContext, records: Records) -> None:
        self._executor = executor
        self._records = records
        self.sessions: dict[int, RunSession] = {}
        self._taken_up: dict[int, str] = {}

    async def create(self, new: NewRun) -> int:
        """Record a run without its secrets; returns its id. Raises CannotStart if one lacks."""
        secrets = secrets_of_pipeline(new.pipeline, new.pipeline_dir or new.workdir)
        if not new.simulated:
            check_complete(secrets)
        if secrets.values:
            secrets.check_unwritten(encode_pipeline(new.pipeline)[0], new.source)
        plain, new = new, replace(new, trigger=secrets.sealed_trigger(new.trigger))

        def insert(connection: Connection) -> int:
            check_allowed(connection, plain, stored_version(new.pipeline, new.trigger, secrets))
            run_id = insert_run(connection, new)
            keep_apart(self._executor.database.files.run(run_id))
            return run_id

        run_id = await self._executor.commit(insert, is_patient=False)
        self._executor.publish((Change(run_id=run_id),))
        if not new.simulated and new.pipeline.starts_programs:
            self._executor.launcher.prepare()
        return run_id

    async def execute(self, run_id: int) -> Run:
        """Work on a run until it has ended. Raises NotFound, or Refused for one begun before."""
        run = self._records.run(run_id)
        self.refuse_taken_up(run_id)
        if not self.is_unbegun(run) or run_id in self.sessions:
            raise Refused(
                f"Run {run_id} {standing(run.status)} and cannot be started",
                next_step=f"See it with: orchestrate-tui show {run_id}",
            )
        return await self.work(self._records.session(run))

    def is_unbegun(self, run: Run) -> bool:
        """Whether it is a run of this executor that waits to be executed."""
        return run.status is RunStatus.PENDING and run.epoch == self._executor.epoch

    def marked(self, run_id: int) -> Run:
        """The run, marked as interrupted if its executor died, or gave it up. Raises NotFound."""
        mark_interrupted(self._executor.database, self._executor.clock())
        run = self._records.run(run_id)
        if not self.is_given_up(run):
            return run
        from orchestrate_tui.executor.taking_up import leave  # noqa: PLC0415  (seldom)

        reason = "its executor could not go on with it"
        change = partial(leave, run_id=run_id, reason=reason, executor=self._executor)
        self._executor.database.write(change)
        return self._records.run(run_id)

    def is_given_up(self, run: Run) -> bool:
        """Whether it is recorded that this executor works on the run, which it does not."""
        is_ours = run.status is RunStatus.RUNNING and run.epoch == self._executor.epoch
        return is_ours and run.id not in self.sessions and run.id not in self._taken_up

    @asynccontextmanager
    async def taking_up(self, run_id: int, actor: str) -> AsyncIterator[None]:
        """Let nobody else who asks this executor take the run up meanwhile. Raises Refused.

        When the block fails, whatever it took is left to whoever takes it next.
        """
        self.refuse_taken_up(run_id)
        self._taken_up[run_id] = actor
        try:
            yield
        except BaseException:
            await self.let_go(run_id)
            raise
        finally:
            del self._taken_up[run_id]

    def refuse_taken_up(self, run_id: int) -> None:
        """Raise Refused while somebody else who asks this executor takes the run up."""
        if run_id in self._taken_up:
            raise being_taken_up(run_id, self._taken_up[run_id])

    async def let_go(self, run_id: int) -> None:
        """Leave an interrupted run and its rollbacks to whoever takes them, if that is possible."""
        with suppress(OrchestrateError):
            await self._executor.commit(
                partial(release, run_id=run_id, epoch=self._executor.epoch), is_patient=False
            )

    async def work(self, session: RunSession) -> Run:
        """Work on a run until it has ended, whatever becomes of the caller; returns it."""
        run_id = session.context.id
        self.sessions[run_id] = session
        await to_the_end(partial(self._work, session), partial(_stop_unless_rolling_back, session))
        return self._records.run(run_id)

    async def _work(self, session: RunSession) -> None:
        run_id = session.context.id
        try:
            with single_errors():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._watch, session)
                    await session.run()
                    tasks.cancel_scope.cancel()
        except Fenced as fenced:
            self._executor.hub.warn(str(fenced))
            await self.let_go(run_id)
            raise
        except Exception as error:
            await self._give_up(session, error)
            raise
        finally:
            del self.sessions[run_id]
            refusal = self.refusal(run_id)
            session.turns.refuse_requests(refusal)
        if session.context.secrets.has_any:
            self._records.remove_outputs(run_id)
        await refuse_commands(self._executor, run_id, str(refusal))

    def refusal(self, run_id: int) -> Refused:
        """Why this executor can ask nobody about a run."""
        run = self._records.run(run_id)
        is_others = run.status in UNDER_WAY and run.epoch != self._executor.epoch
        if is_others and self._records.is_alive(run.epoch):
            return Refused(
                f"Run {run_id} is worked on by {self._records.owner(run.epoch)}",
                next_step="Ask again",
            )
        return nobody_works_on(run)

    async def _watch(self, session: RunSession) -> None:
        def handle(command: Command) -> None:
            # most runs are asked nothing
            from orchestrate_tui.executor.service import ask  # noqa: PLC0415

            ask(session, Request.from_command(command))

        def check(connection: Connection) -> None:
            is_ours = check_under_way if session.is_under_way else check_owner
            is_ours(connection, run_id, self._executor.epoch)
            if (rollback_id := session.rollbacks.recorded) is not None:
                check_carried(connection, rollback_id, self._executor.epoch)

        run_id = session.context.id
        try:
            await watch(self._executor, run_id, handle, check)
        except Fenced:  # an undo of it is left alone from here on
            await self.let_go(run_id)
            raise

    async def _give_up(self, session: RunSession, error: Exception) -> None:
        """Leave a run that cannot be worked on as an interrupted one, if that can be recorded."""
        from orchestrate_tui.executor.taking_up import leave  # noqa: PLC0415  (seldom)

        run_id, reason = session.context.id, session.context.secrets.masked(str(error))
        with suppress(OrchestrateError):
            await self._executor.commit(
                partial(leave, run_id=run_id, reason=reason, executor=self._executor),
                Change(run_id=run_id),
            )


def nobody_works_on(run: Run) -> Refused:
    """Why nothing can be asked about a run that nobody works on."""
    if run.status in ENDED_RUNS:
        return has_ended(run)
    if run.status is RunStatus.PENDING:
        return Refused(f"Run {run.id} has not been started")
    return Refused(
        f"Run {run.id} is interrupted: its executor died",
        next_step=f"Go on with it first: orchestrate-tui resume {run.id}",
    )


def _stop_unless_rolling_back(session: RunSession) -> None:
    if not session.rollbacks.is_busy:
        session.turns.post(partial(session.stop, "cancelled with its executor"))
