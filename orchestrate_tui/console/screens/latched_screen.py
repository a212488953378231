"""The main screen of a console that may change things, as far as its latch lets it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.latch import latch_text
from orchestrate_tui.console.screens.asking_screen import AskingScreen
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.domain.moments import utc_now

if TYPE_CHECKING:
    from orchestrate_tui.console.bridge import Bridge
    from orchestrate_tui.console.latch import LatchedControl
    from orchestrate_tui.console.ports import Attendance
    from orchestrate_tui.store.history import History


class LatchedScreen(MainScreen, AskingScreen):
    """Says whether what the chosen run touches is locked here, and unlocks it."""

    def __init__(
        self,
        history: History,
        bridge: Bridge,
        control: LatchedControl,
        *,
        run_id: int | None = None,
        named_database: Path | None = None,
        attendance: Attendance | None = None,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(
            history, bridge, run_id=run_id, read_only=False, attendance=attendance, clock=clock
        )
        self._control = control
        self._latch = control.latch
        self._named_database = named_database
        self._drafts: Drafts = {}

    @property
    def trouble(self) -> str:
        """What keeps this console's executor from working, or another; "" is nothing."""
        return self._control.trouble or super().trouble

    @property
    def _environments(self) -> tuple[str, ...]:
        """The protected environments that the chosen run touches."""
        picture = self.picture
        if picture is None:
            return ()
        return self._latch.environments(picture.pipeline, simulated=picture.run.simulated)

    def action_turn_latch(self) -> None:
        """Unlock what the chosen run touches, or was just refused, for a while, or lock it."""
        self._latch.turn(self._at_hand)
        self._tell()

    def choose_run(self, run_id: int) -> None:
        """Show a run; what was refused for another one is at hand no more."""
        self._latch.forget_refusal()
        super().choose_run(run_id)

    @property
    def _at_hand(self) -> tuple[str, ...]:
        """The environments that the key turns."""
        return self._latch.at_hand(self._environments)

    def _status(self) -> Iterable[Content]:
        """What the status line tells: whether this console is locked, first of all.

        Nothing is unlocked unseen, whichever run is chosen.
        """
        latch, at_hand = self._latch, self._at_hand
        others = [name for name in latch.unlocked if name not in at_hand]
        return (latch_text(latch, at_hand), latch_text(latch, others), *super()._status())

    def _passes_latch(self, environments: Sequence[str]) -> bool:
        """Whether something may be changed there; if not, that is said, and can be altered."""
        passes = super()._passes_latch(environments)
        if not passes:
            self._tell()
            self.offer_keys()
        return passes
