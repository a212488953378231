"""What somebody is told of one run, and what became of each message."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.values import dataclass


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
