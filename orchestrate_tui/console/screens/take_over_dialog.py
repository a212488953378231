"""Taking a run from a process that still lives, with the reason why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
from orchestrate_tui.console.styled import lines, plain, toned

if TYPE_CHECKING:
    from orchestrate_tui.domain.presence import Person
    from orchestrate_tui.domain.run import Run


def take_over_dialog(
    run: Run, driver: Person | None, *, word: str = "", drafts: Drafts | None = None
) -> ReasonDialog:
    """Answers with the reason; `driver` None means that it cannot be seen who has the run."""
    who = "A process that cannot be seen"
    if driver is not None:
        where = f" on {driver.place}" if driver.place else ""
        who = f"{driver.name}'s process {driver.pid}{where}"
    kept = "What runs is taken over with it; finished stages do not run again."
    body = [
        plain(f"{who} works on it."),
        plain("Take the run from it only if it hangs or was stopped."),
        toned(kept, Tone.QUIET),
    ]
    title = f"Take run #{run.id} over?"
    return ReasonDialog(title, lines(body), yes="Take over", word=word, drafts=drafts)
