"""Who is told of what: the rules of a pipeline."""

from __future__ import annotations

from enum import StrEnum

from orchestrate_tui.values import dataclass


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
