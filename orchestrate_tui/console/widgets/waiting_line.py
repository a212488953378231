"""The line that says that a rollback waits for the operator, and which breakers are tripped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from orchestrate_tui.console.styled import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
    from orchestrate_tui.store.breakers import Breaker


Waiting = tuple["RollbackEvent", "RollbackStep | None"]
"""A rollback that waits, and the step for which it does, as far as that is known."""


class WaitingLine(Static):
    """Stands there for as long as somebody has to decide; nothing puts it away before."""

    DEFAULT_CSS = """
    WaitingLine {
        height: auto;
        max-height: 2;
        padding: 0 1;
        background: $warning;
        color: $text;
        text-style: bold;
        display: none;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def show(self, waiting: Sequence[Waiting], breakers: Sequence[Breaker], *, keys: bool) -> None:
        """Say what waits and what is tripped, and with `keys` which key decides."""
        said = "\n".join(filter(None, (_waits(waiting, keys=keys), _tripped(breakers, keys=keys))))
        if said != self._said:
            self._said = said
            self.update(plain(said))
            self.display = bool(said)


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
