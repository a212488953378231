"""Which runs the list shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.console.marks import run_mark
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.console.run_pages import Fetch
    from orchestrate_tui.domain.status import RunStatus
    from orchestrate_tui.store.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What a run has to be; None asks for nothing."""

    pipeline: str | None = None
    status: RunStatus | None = None

    def __bool__(self) -> bool:
        return self.pipeline is not None or self.status is not None

    def __str__(self) -> str:
        status = run_mark(self.status).word if self.status else ""
        return " ".join(filter(None, (self.pipeline, status)))

    def fetch_from(self, history: History) -> Fetch:
        """What the list of runs reads its pages with."""
        return lambda before, limit: history.runs(
            before=before, limit=limit, pipeline=self.pipeline, status=self.status
        )
