"""What an operator decides of a step of a rollback that failed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestrate_tui.domain.status import StepStatus
from orchestrate_tui.values import dataclass


class StepAction(StrEnum):
    """How a rollback goes on after a step that failed; it can also be halted."""

    RETRY = "retry"
    """Try the undo again."""
    SKIP = "skip"
    """Go on without it: what it was to undo stays."""
    DONE = "done"
    """Go on: somebody has undone it otherwise."""

    @property
    def status(self) -> StepStatus:
        """What the step is from then on."""
        return _STATUSES[self]


_STATUSES = {
    StepAction.RETRY: StepStatus.RETRYING,
    StepAction.SKIP: StepStatus.SKIPPED,
    StepAction.DONE: StepStatus.DONE,
}
_VERBS = {
    StepAction.RETRY: "tried again for",
    StepAction.SKIP: "passed over by",
    StepAction.DONE: "said to be undone by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDecision:
    """Who decided what, and why; `stage_name` "" means the only step that waits."""

    action: StepAction
    actor: str
    reason: str
    stage_name: str = ""

    @property
    def sentence(self) -> str:
        """What the record says of it."""
        return f"{_VERBS[self.action]} {self.actor}: {self.reason}"

    def to_payload(self, rollback_id: int) -> dict[str, str]:
        """The decision as a command to another process carries it, without who made it."""
        return {
            "rollback": str(rollback_id),
            "action": self.action,
            "reason": self.reason,
            "stage": self.stage_name,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, str], actor: str) -> StepDecision:
        """The decision that `to_payload` wrote."""
        return cls(
            action=StepAction(payload["action"]),
            actor=actor,
            reason=payload["reason"],
            stage_name=payload["stage"],
        )
