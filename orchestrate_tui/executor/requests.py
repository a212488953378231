"""What people ask of a run that is being worked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import anyio

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import spoken
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RollbackStatus, standing
from orchestrate_tui.errors import NoRoom, OrchestrateError, Refused, Unrecorded
from orchestrate_tui.store.commands import Command, CommandKind
from orchestrate_tui.values import dataclass


def being_rolled_back(event: RollbackEvent) -> Refused:
    """Why a run cannot be cancelled: only a halt stops a rollback."""
    by = f" by {event.actor}" if event.actor else ""
    return Refused(
        f"Run {event.run_id} is being rolled back{by} and cannot be cancelled",
        next_step="Stop the rollback with: "
        f"orchestrate-tui rollback-step {event.id} halt --reason TEXT",
    )


def being_taken_up(run_id: int, actor: str = "") -> Refused:
    """Why nothing can be asked about a run just now: this executor does not work on it yet."""
    by = f" by {actor}" if actor else ""
    return Refused(f"Run {run_id} is just being taken up{by}", next_step="Ask again in a moment")


def has_ended(run: Run) -> Refused:
    """Why nothing can be asked about a run that has ended: how, why and when it did."""
    when = f" at {spoken(run.completed_at)}" if run.completed_at else ""
    because = f" ({run.reason})" if run.reason else ""
    return Refused(f"Run {run.id} has ended: it {standing(run.status)}{when}{because}")


def recorded_later(told: str, run_id: int, no_room: NoRoom) -> Unrecorded:
    """What somebody hears who was obeyed without a record."""
    return Unrecorded(
        f"{no_room.message}. {told}; that is recorded once there is room, unless that executor"
        " ends before",
        next_step=f"Free some space, then look with: orchestrate-tui show {run_id}",
    )


def rollback_has_ended(event: RollbackEvent) -> Refused:
    """Why nothing can be decided about a rollback any more: how, why and when it ended."""
    when = f" at {spoken(event.completed_at)}" if event.completed_at else ""
    because = f" ({event.error_message})" if event.error_message else ""
    next_step = f"See it with: orchestrate-tui show {event.run_id}"
    if event.status is RollbackStatus.FAILED:
        next_step = f"Try again what is left with: {event.again}"
    return Refused(
        f"Rollback {event.id} has ended: it {standing(event.status)}{when}{because}",
        next_step=next_step,
    )


@dataclass(slots=True)
class Request:
    """One request and, once it is committed, its answer.

    `command` is set when another process asked; the answer is then kept in the database too.
    """

    kind: CommandKind
    actor: str
    payload: Mapping[str, str]
    command: Command | None = None
    _answered: anyio.Event = field(default_factory=anyio.Event)
    _outcome: str = ""
    _error: OrchestrateError | None = None

    @classmethod
    def from_command(cls, command: Command) -> Request:
        """The request that another process left in the database."""
        return cls(command.kind, command.actor, command.payload, command)

    def succeed(self, outcome: str) -> None:
        """Answer with a sentence."""
        self._outcome = outcome
        self._answered.set()

    def fail(self, error: OrchestrateError) -> None:
        """Answer with a refusal."""
        self._error = error
        self._answered.set()

    @property
    def is_answered(self) -> bool:
        """Whether it was answered."""
        return self._answered.is_set()

    async def answer(self) -> str:
        """Wait for the answer. Raises the refusal."""
        await self._answered.wait()
        if self._error is not None:
            raise self._error
        return self._outcome
