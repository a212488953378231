"""Who is told of what: the rules of a pipeline, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Occasion(StrEnum):
    """What somebody may want to be told of."""

    APPROVAL_REQUESTED = "approval.requested"
    """A stage waits for people."""
    RUN_FAILED = "run.failed"
    """A run has failed."""
    ROLLBACK_STARTED = "rollback.started"
    """The first step of a rollback may start."""
    ROLLBACK_SUCCEEDED = "rollback.succeeded"
    """Every step of a rollback is done."""
    ROLLBACK_FAILED = "rollback.failed"
    """A rollback cannot go on."""
    BREAKER_TRIPPED = "breaker.tripped"
    """So many rollbacks that new runs are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Who is told next, so long after the step before; channels are environment variables."""

    after_s: float
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """That all of it is told again, `times` times at most, so long after the last step."""

    every_s: float
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRule:
    """Whom to tell on which occasions, and who comes next while nobody acknowledges it.

    A channel is the name of an environment variable, which holds one or more addresses.
    """

    to: tuple[str, ...]
    on: tuple[Occasion, ...] = tuple(Occasion)
    escalate: tuple[EscalationStep, ...] = ()
    repeat: Repetition | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """Every channel once, in the order in which they are told."""
        named = (*self.to, *(name for step in self.escalate for name in step.to))
        return tuple(dict.fromkeys(named))

    def told_in(self, step: int) -> tuple[str, ...]:
        """The channels of a step; steps count from 0, through all repetitions."""
        position = step % self._round
        return self.escalate[position - 1].to if position else self.to

    def wait_before(self, step: int) -> float | None:
        """Seconds between the step before and this one; None when there is no such step."""
        if not step:
            return 0.0
        rounds, position = divmod(step, self._round)
        if rounds > (self.repeat.times if self.repeat else 0):
            return None
        if position:
            return self.escalate[position - 1].after_s
        return self.repeat.every_s if self.repeat else None

    @property
    def _round(self) -> int:
        return 1 + len(self.escalate)


class DeliveryStatus(StrEnum):
    """How one delivery to one channel stands."""

    PENDING = "pending"
    """It is to be sent, for the first time or again."""
    SENDING = "sending"
    """It is under way."""
    SENT = "sent"
    """The channel has taken it."""
    FAILED = "failed"
    """The channel did not take it, however often it was tried."""
    DROPPED = "dropped"
    """Somebody acknowledged before it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one channel; `step` counts from 0, `attempt` is how often it was tried.

    `error` is why it was not taken the last time, without the address. `due_at` is when it is
    tried next, None when it is not.
    """

    id: int
    notification_id: int
    step: int
    channel: str
    status: DeliveryStatus
    attempt: int = 0
    error: str = ""
    due_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def is_sent(self) -> bool:
        """Whether the channel has taken it."""
        return self.status is DeliveryStatus.SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One occasion of one run that one rule tells of, until it has ended.

    `rule` is its position in the definition; `step` how many steps have begun, and `due_at` when
    the next one does, None when none follows. `epoch` is the executor that sees to it, None
    nobody. `outcome` says why it has ended, or that only its first step is told.
    """

    id: int
    run_id: int
    occasion: Occasion
    rule: int
    stage_name: str | None = None
    rollback_id: int | None = None
    detail: str = ""
    epoch: int | None = None
    step: int = 0
    due_at: datetime | None = None
    created_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    deliveries: tuple[Delivery, ...] = ()
