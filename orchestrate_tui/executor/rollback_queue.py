"""The rollbacks of one run that is being worked on: one at a time, the others wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.turn import Turn
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.executor.rollback import RollbackRunner


@dataclass(slots=True)
class QueuedRollback:
    """A rollback in the queue; `id` 0 means that it is inserted with the present turn."""

    id: int = 0


class RollbackQueue:
    """Inserts rollbacks with a turn, and has them carried out in the order of their insertion.

    Who carries them out is made by `make` with the first one.
    """

    def __init__(
        self, make: Callable[[], RollbackRunner], post: Callable[[Callable[[], None]], None]
    ) -> None:
        self._make = make
        self._post = post
        self._waiting: deque[QueuedRollback] = deque()
        self._current: QueuedRollback | None = None

    @cached_property
    def _runner(self) -> RollbackRunner:
        return self._make()

    @property
    def is_busy(self) -> bool:
        """Whether a rollback is under way or waits."""
        return self._current is not None or bool(self._waiting)

    @property
    def under_way(self) -> int | None:
        """The id of the rollback that is carried out, or comes next; None without one."""
        first = self._current or next(iter(self._waiting), None)
        return first.id if first else None

    @property
    def recorded(self) -> int | None:
        """The id of the rollback whose row says that it is running; None without one."""
        current = self._current
        return current.id if current is not None and self._runner.is_under_way else None

    def restore(self, rollback_id: int) -> None:
        """Queue a rollback that another executor left."""
        self._waiting.append(QueuedRollback(rollback_id))

    def insert(self, event: RollbackEvent, turn: Turn) -> QueuedRollback:
        """Insert `event` with this turn; its id is known once the turn is applied."""
        queued = QueuedRollback()
        self._waiting.append(queued)

        def insert(connection: Connection) -> None:
            queued.id = rollbacks.insert(connection, event)

        turn.others.append(insert)
        return queued

    def take_next(self) -> bool:
        """Make the next rollback the current one; False while there is one, or none waits."""
        if self._current is not None or not self._waiting:
            return False
        self._current = self._waiting.popleft()
        return True

    async def carry_out(self) -> None:
        """Carry the current rollback out to its end."""
        assert self._current is not None  # noqa: S101  (take_next has just said so)
        await self._runner.carry_out(self._current.id)
        self._post(self._note_end)

    def halt(self, rollback_id: int, actor: str, reason: str) -> None:
        """Stop a rollback at its present step. Raises Refused when it is not in this queue."""
        self._check_queued(rollback_id)
        self._runner.halt(rollback_id, actor, reason)

    def decide(self, rollback_id: int, decision: StepDecision, turn: Turn) -> None:
        """Decide, with this turn, about a step that waits. Raises Refused when none does."""
        self._check_queued(rollback_id)
        commit, go_on = self._runner.decide(rollback_id, decision)
        turn.others.append(commit)
        turn.afterwards.append(go_on)

    def _check_queued(self, rollback_id: int) -> None:
        queued = [one.id for one in (self._current, *self._waiting) if one]
        if rollback_id not in queued:
            raise Refused(
                f"Rollback {rollback_id} has ended",
                next_step="See how with: orchestrate-tui rollbacks",
            )

    def _note_end(self) -> None:
        self._current = None
