"""The line that says that a rollback waits for the operator, and which breakers are tripped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.told_line import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.store.breakers import Breaker


Waiting = tuple["RollbackEvent", "RollbackStep | None"]
"""A rollback that waits, and the step for which it does, as far as that is known."""


class WaitingLine(Notice):
    """Stands there for as long as somebody has to decide; nothing puts it away before."""

    DEFAULT_CSS = """
    WaitingLine { max-height: 2; background: $warning; }
    """

    def show(self, waiting: Sequence[Waiting], breakers: Sequence[Breaker], *, keys: bool) -> None:
        """Say what waits and what is tripped, and with `keys` which key decides."""
        said = filter(None, (_waits(waiting, keys=keys), _tripped(breakers, keys=keys)))
        self.tell(plain("\n".join(said)))


def _waits(waiting: Sequence[Waiting], *, keys: bool) -> str:
    if not waiting:
        return ""
    names = ", ".join(f"{event.id} of run #{event.run_id}" for event, _ in waiting)
    verb = "waits" if len(waiting) == 1 else "wait"
    steps = [step for _, step in waiting]
    what = steps[0].failure if len(steps) == 1 and steps[0] else "a step failed"
    key = "[D: decide]  " if keys else ""
    return f"{key}Rollback {names} {verb}: {what}"


def _tripped(breakers: Sequence[Breaker], *, keys: bool) -> str:
    if not breakers:
        return ""
    names = ", ".join(f"{one.pipeline} in {one.environment}" for one in breakers)
    key = "  [B: let them start again]" if keys else ""
    return f"Rolled back too often, new runs are refused: {names}{key}"
