"""The logs of runs that the record does not have any more, because another one was put in place."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import utc_now

if TYPE_CHECKING:
    from pathlib import Path


def keep_apart(folder: Path) -> None:
    """Let a run that is new have its folder for itself: what is in it is another's."""
    with suppress(OSError):  # it is hardly ever there
        folder.rename(folder.with_name(f"{folder.name}.before-{utc_now():%Y%m%dT%H%M%SZ}"))
