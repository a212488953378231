"""What people ask of a run, passed on to whoever works on it, here or in another process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import ENDED_RUNS, RunStatus
from orchestrate_tui.errors import NoRoom, Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.people import told
from orchestrate_tui.executor.receipts import Receipt
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.remote import SAID_DIRECTLY, ask_owner
from orchestrate_tui.executor.requests import Request, being_rolled_back
from orchestrate_tui.executor.runs import Runs
from orchestrate_tui.executor.service import ask
from orchestrate_tui.executor.taking_over import TakingOver
from orchestrate_tui.store.acknowledgements import acknowledge
from orchestrate_tui.store.commands import CommandKind
from orchestrate_tui.store.recovery import as_it_stands


class Asking:
    """Finds who works on a run and asks."""

    def __init__(
        self, executor: ExecutorContext, records: Records, runs: Runs, taking_over: TakingOver
    ) -> None:
        self._executor = executor
        self._records = records
        self._runs = runs
        self._taking_over = taking_over

    async def decide(
        self, kind: CommandKind, run_id: int, payload: Mapping[str, str], actor: str, key: str
    ) -> str:
        """Approve or reject a waiting stage; returns what that did.

        Who comes too late is told who decided, also when the run has ended with that.
        """
        try:
            return await self.ask(self._records.run(run_id), kind, payload, actor, key=key)
        except Refused as refused:
            decided = self._records.decisions(run_id, payload["stage"])
            last = "".join(told(one) for one in decided[-1:])
            if last in refused.message or self._records.run(run_id).status not in ENDED_RUNS:
                raise
            sentence = f"{refused.message}; stage '{payload['stage']}' was {last}"
            raise Refused(sentence, next_step=refused.next_step) from refused

    async def cancel(self, run_id: int, actor: str, key: str = "") -> str:
        """Stop a run; returns what that did."""
        run = self.standing(run_id)
        is_left = run.status is RunStatus.INTERRUPTED or self._runs.is_unbegun(run)
        if is_left and run_id not in self._runs.sessions:
            session = await self._taking_over.stopped(run, f"cancelled by {actor}", actor)
            outcome = f"Run {run_id} is cancelled"
            receipt = Receipt(key=key, run_id=run_id, kind=CommandKind.CANCEL, actor=actor)
            session.turns.present.others.append(receipt.writer(self._executor, lambda: outcome))
            await self._runs.work(session)
            return outcome
        if run.status in ENDED_RUNS:
            self._refuse_while_rolled_back(run_id)
        return await self.ask(run, CommandKind.CANCEL, {}, actor, key=key)

    async def acknowledge(self, run_id: int, comment: str, actor: str) -> str:
        """Note who has seen how a run went wrong; returns what that did."""
        run = self._runs.marked(run_id)
        said = self._records.secrets(run).masked(comment)
        at = self._executor.clock()
        note = partial(acknowledge, run_id=run_id, actor=actor, comment=said, at=at)
        await self._executor.commit(note, Change(run_id=run_id))
        return f"Run {run_id} is acknowledged by {actor}"

    def standing(self, run_id: int) -> Run:
        """The run, marked as interrupted when it is under way and its executor left it."""
        run = as_it_stands(self._records.run(run_id), self._executor.database.files)
        is_left = run.status is RunStatus.INTERRUPTED or self._runs.is_given_up(run)
        return self._runs.marked(run_id) if is_left else run

    def _refuse_while_rolled_back(self, run_id: int) -> None:
        for event in self._records.left_rollbacks(run_id):
            raise being_rolled_back(event)

    async def ask(
        self,
        run: Run,
        kind: CommandKind,
        payload: Mapping[str, str],
        actor: str,
        owner: int | None = None,
        *,
        key: str = "",
    ) -> str:
        """Ask whoever works on the run, or `owner`, who carries out its rollback.

        With a key what becomes of it is kept, and the same key again gets the same answer.
        Raises Refused when nobody does, or with the reason of the one who was asked, NoRoom on a
        full disk, and Unrecorded for what is done all the same.
        """
        session = self._runs.sessions.get(run.id)
        if session is not None and not key:
            request = Request(kind, actor, payload)
            ask(session, request)
            return await request.answer()
        payload = self._records.secrets(run).masked_payload(payload)
        is_ours = session is not None or (key and owner == self._executor.epoch)
        owner = run.epoch if owner is None else owner
        is_nobody = owner == self._executor.epoch and not is_ours
        if owner is None or is_nobody or not self._records.is_alive(owner):
            raise self._runs.refusal(run.id)
        try:
            return await ask_owner(
                self._executor, run_id=run.id, owner=owner, kind=kind, payload=payload, actor=actor,
                key=key,
            )  # fmt: skip
        except NoRoom as no_room:
            if kind not in SAID_DIRECTLY or (session is None and key):
                raise  # who asked for it asks the next executor
            # seldom needed, and what it takes is loaded slowly
            from orchestrate_tui.executor.unrecorded import (  # noqa: PLC0415
                ask_session,
                ask_through_socket,
            )

            if session is not None:
                return await ask_session(session, Request(kind, actor, payload), no_room)
            path = self._executor.database.path
            return await ask_through_socket(path, kind, run.id, payload, no_room)
