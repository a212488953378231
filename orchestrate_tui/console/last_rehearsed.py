"""When a run was rehearsed last, for people: the same on the screen and in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.console.durations import duration

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrate_tui.domain.rehearsal import Rehearsal


def last_rehearsed(rehearsal: Rehearsal | None, now: datetime) -> str:
    """When a run was rehearsed last, by whom, and how that went."""
    if rehearsal is None:
        return "never rehearsed"
    ago = duration((now - rehearsal.completed_at).total_seconds())
    return f"last rehearsed {ago} ago by {rehearsal.actor}, {rehearsal.outcome}"
