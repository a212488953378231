"""The approvals of one run: which stages wait, who has decided, how many are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

import anyio

from orchestrate_tui.domain.pipeline import OnTimeout, Stage
from orchestrate_tui.domain.run import ApprovalRecord, Decision
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.people import Anybody, told
from orchestrate_tui.executor.requests import Request
from orchestrate_tui.executor.turn import Turn
from orchestrate_tui.store.approvals import insert_approval


class ApprovalGate:
    """Stages between "their dependencies ended well" and "they may start"."""

    def __init__(
        self, executor: ExecutorContext, *, simulated: bool, decided: Iterable[ApprovalRecord]
    ) -> None:
        self._people = Anybody() if simulated else executor.people
        self._clock = executor.clock
        self._waiting: dict[str, tuple[Stage, anyio.CancelScope]] = {}
        self._decided: dict[str, list[ApprovalRecord]] = defaultdict(list)
        for record in decided:
            self._decided[record.stage_name].append(record)

    @property
    def is_busy(self) -> bool:
        """Whether a stage waits for people."""
        return bool(self._waiting)

    def is_waiting(self, stage_name: str) -> bool:
        """Whether that stage waits for people."""
        return stage_name in self._waiting

    def enter(self, stage: Stage) -> anyio.CancelScope:
        """Let a stage wait; the scope is cancelled when the waiting ends."""
        scope = anyio.CancelScope()
        self._waiting[stage.name] = stage, scope
        return scope

    def leave(self, stage_name: str) -> None:
        """End the waiting of a stage, if it waits."""
        if stage_name in self._waiting:
            _, scope = self._waiting.pop(stage_name)
            scope.cancel()

    def missing(self, stage: Stage) -> int:
        """How many approvals the stage still needs."""
        needed = stage.approval.needed if stage.approval else 0
        return max(needed - len(self._decided[stage.name]), 0)

    def decide(self, stage_name: str, decision: Decision, request: Request, turn: Turn) -> Stage:
        """Record a decision in this turn and return its stage.

        Raises Refused when the stage does not wait or the actor has no say.
        """
        if stage_name not in self._waiting:
            last = "".join(f": {told(one)}" for one in self._decided[stage_name][-1:])
            raise Refused(
                f"Stage '{stage_name}' of run {turn.run_id} is not waiting for an approval{last}",
                next_step=f"See what is: orchestrate-tui show {turn.run_id}",
            )
        stage, _ = self._waiting[stage_name]
        record = ApprovalRecord(
            run_id=turn.run_id,
            stage_name=stage_name,
            decision=decision,
            entry=self._people.entry_for(stage, request.actor, self._decided[stage_name]),
            actor=request.actor,
            comment=request.payload.get("comment", ""),
            decided_at=self._clock(),
        )
        self._decided[stage_name].append(record)
        turn.others.append(partial(insert_approval, approval=record))
        return stage


def approves_by_expiry(stage: Stage) -> bool:
    """Whether a stage that nobody decided on in time goes on."""
    return stage.approval is not None and stage.approval.on_timeout is OnTimeout.APPROVE
