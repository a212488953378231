"""The line that says that a rollback waits for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from orchestrate_tui.console.styled import plain

if TYPE_CHECKING:
    from orchestrate_tui.domain.events import RollbackEvent


class WaitingLine(Static):
    """Names the rollbacks that wait, for as long as they do; nothing puts it away before."""

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

    def show(self, waiting: tuple[RollbackEvent, ...], key: str) -> None:
        """Name those that wait, and the key that decides; "" where none does."""
        names = ", ".join(f"{one.id} of run #{one.run_id}" for one in waiting)
        verb = "waits" if len(waiting) == 1 else "wait"
        said = f"Rollback {names} {verb}: a step failed" if waiting else ""
        said += f"  [{key}: decide how it goes on]" if waiting and key else ""
        if said != self._said:
            self._said = said
            self.update(plain(said))
            self.display = bool(said)
