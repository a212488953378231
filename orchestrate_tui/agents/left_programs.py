"""What became of programs whose executor died: the journals of their hosts tell."""

from __future__ import annotations

import math
from enum import Enum, auto
from pathlib import Path

from orchestrate_tui.agents.contract import Process, Program, Services
from orchestrate_tui.agents.host_line import HostLine
from orchestrate_tui.stagehost.boot import boot_id
from orchestrate_tui.stagehost.files import lives
from orchestrate_tui.stagehost.journal_reader import Entry, Progress, read_journal
from orchestrate_tui.values import dataclass


class Left(Enum):
    """How the work of a dead executor stands."""

    RUNNING = auto()
    """Its process goes on; it can be taken back."""
    ENDED = auto()
    """Its process has ended, and how is known."""
    NOT_STARTED = auto()
    """It was never started."""
    LOST = auto()
    """Nobody knows how far it came."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a journal tells of a program, and in which boot."""

    folder: Path
    boot: str
    entry: Entry


class LeftPrograms:
    """Finds programs in the journals below `hosts`, and takes them back.

    Only who has become the owner of their run may do so. It belongs to one event loop; `close`
    lets go of them.
    """

    def __init__(self, hosts: Path) -> None:
        self._hosts = hosts
        self._lines: dict[Path, HostLine] = {}

    def progress(self, key: str, owner_boot: str) -> Left:
        """How far a program came whose executor worked in the boot `owner_boot`."""
        found = self._find(key)
        if found is None:
            return Left.NOT_STARTED if owner_boot == boot_id() != "" else Left.LOST
        if found.entry.progress is Progress.ENDED:
            return Left.LOST if found.entry.stopped else Left.ENDED
        is_started = found.entry.progress is Progress.STARTED
        goes_on = is_started and found.boot == boot_id() and lives(str(found.folder))
        return Left.RUNNING if goes_on else Left.LOST

    async def take(self, key: str, *, leaves_processes: bool) -> Process | None:
        """The program's process, or how it ended; None when it is lost."""
        found = self._find(key)
        if found is not None and found.entry.progress is Progress.STARTED:
            try:
                line = self._line(found.folder)
                return await line.claim(key, leaves_processes=leaves_processes)
            except (OSError, ValueError):  # it, or its host, ended in this moment
                found = self._find(key)
        if found is None or found.entry.code is None:
            return None
        entry = found.entry
        return EndedProcess(entry.code or 0, timed_out=entry.timed_out, kept=entry.kept)

    def close(self) -> None:
        """Let go of what was taken; its hosts supervise it."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def _line(self, folder: Path) -> HostLine:
        line = self._lines.get(folder)
        if line is None or not line.is_open:
            line = self._lines[folder] = HostLine.to(folder)
        return line

    def _find(self, key: str) -> _Found | None:
        if not self._hosts.is_dir():
            return None
        for folder in self._hosts.iterdir():
            boot, entries = read_journal(str(folder))
            if (entry := entries.get(key)) is not None:
                return _Found(folder, boot, entry)
        return None


class EndedProcess:
    """A process that ended while no executor was there."""

    pid = 0
    ran_s = -math.inf  # no time limit is left to enforce

    def __init__(self, code: int, *, timed_out: bool, kept: Services) -> None:
        self._code = code
        self.timed_out = timed_out
        self.kept = kept

    def signal_tree(self, signal: int) -> None:
        """Nothing of it is left."""

    def let_go(self) -> None:
        """Nothing of it is left."""

    def tree_lives(self) -> bool:
        """Nothing of it is left."""
        return False

    async def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        return self._code

    async def wait_tree(self) -> None:
        """Nothing of it is left."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A launcher that starts nothing: its process runs already, or has ended."""

    process: Process

    async def start(self, program: Program) -> Process:  # noqa: ARG002  (it was started as that)
        """The process that was taken back."""
        return self.process
