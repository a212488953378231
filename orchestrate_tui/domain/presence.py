"""Who is there: people at consoles, and those whose processes work on runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from orchestrate_tui.values import dataclass


class Mode(StrEnum):
    """What a process can do to a database."""

    CONSOLE = "console"
    """Somebody looks, and may act."""
    READ_ONLY = "read-only"
    """Somebody looks."""
    COMMAND = "command"
    """It works on something, and nobody need look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One process that is there. `user` "" means that it cannot be seen whose it is.

    `terminal` is such as `pts/3`, "" without one, and `since` None where it is not known.
    `epochs` are the executors in it; without one it can change nothing.
    """

    pid: int
    user: str = ""
    terminal: str = ""
    is_remote: bool = False
    since: datetime | None = None
    is_console: bool = True
    epochs: frozenset[int] = frozenset()

    @property
    def mode(self) -> Mode:
        """What it can do."""
        if not self.is_console:
            return Mode.COMMAND
        return Mode.CONSOLE if self.epochs else Mode.READ_ONLY

    @property
    def place(self) -> str:
        """Where it is: a terminal, and whether that is reached over SSH; "" for neither."""
        return " ".join(filter(None, (self.terminal, "ssh" if self.is_remote else "")))

    @property
    def name(self) -> str:
        """The user, or what stands for one who cannot be seen."""
        return self.user or "somebody"
