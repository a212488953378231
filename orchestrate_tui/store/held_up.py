"""Who keeps a process from writing: it holds a lock that one after the other may have."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING

from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.store.database import StoreFiles

TOLD_AFTER_S = 2.0
"""Others write for some milliseconds; who waits for longer than that wants to know for whom."""

LONGEST_S = 30.0
"""After so long nobody waits on without having been asked."""

LOOK_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """Whoever keeps all others from writing to a database; None is a process that is hidden."""

    pid: int | None
    is_stopped: bool
    sentence: str


class HeldUp:
    """Since when a writer has been waiting for others, and for whom; any thread may ask."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files
        self._since: float | None = None
        self._looked_at = 0.0
        self._culprit: Culprit | None = None

    def begin(self) -> None:
        """Say that it waits from now on."""
        self._since = monotonic()

    def end(self) -> None:
        """Say that it waits no longer."""
        self._since = None

    @property
    def waited_s(self) -> float:
        """How long it has been waiting; 0 when it does not."""
        since = self._since
        return 0.0 if since is None else monotonic() - since

    def sentence(self) -> str:
        """For whom it has been waiting so long that somebody should know; "" for nobody."""
        return self.culprit().sentence if self.waited_s >= TOLD_AFTER_S else ""

    def is_barred(self) -> bool:
        """Whether that may last for ever: that one was stopped, or it has lasted for long."""
        waited_s = self.waited_s
        return waited_s >= TOLD_AFTER_S and (waited_s >= LONGEST_S or self.culprit().is_stopped)

    def culprit(self) -> Culprit:
        """Whoever holds the lock now, as far as a look of this second tells."""
        found, now = self._culprit, monotonic()
        if found is None or now - self._looked_at >= LOOK_INTERVAL_S:
            self._looked_at = now
            self._culprit = found = find_culprit(self._files)
        return found


def find_culprit(files: StoreFiles) -> Culprit:
    """Whoever keeps all others from writing; the kernel lists who holds which lock."""
    # seldom needed
    from orchestrate_tui.stagehost.trees import is_stopped  # noqa: PLC0415
    from orchestrate_tui.store.attendance import writers_at  # noqa: PLC0415
    from orchestrate_tui.store.processes import program_of, told_process  # noqa: PLC0415

    pid = next((one for one in writers_at(files) if one != os.getpid()), None)
    who = told_process(pid)
    if pid is not None and is_stopped(pid):
        sentence = (
            f"{who} was stopped while it was writing to {files.database}, and nobody"
            f" else can: let it go on (kill -CONT {pid}), or end it (kill -9 {pid})"
        )
        return Culprit(pid=pid, is_stopped=True, sentence=sentence)
    if pid is not None and (program := program_of(pid)):
        who = f"{who} ({program})"
    sentence = f"{who} keeps all others from writing to {files.database}"
    return Culprit(pid=pid, is_stopped=False, sentence=sentence)
