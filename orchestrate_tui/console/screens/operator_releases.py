"""The releases in a console that may change things: pinning one, letting a version come back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.latch import latch_text
from orchestrate_tui.console.screens.asking_screen import AskingScreen
from orchestrate_tui.console.screens.reason_dialog import ReasonDialog
from orchestrate_tui.console.screens.releases_screen import ReleasesScreen
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.widgets.release_list import ReleaseList
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.protection import confirmation
from orchestrate_tui.domain.release import Quarantine, Ruling

if TYPE_CHECKING:
    from orchestrate_tui.console.latch import LatchedControl
    from orchestrate_tui.store.history import History


class OperatorReleases(ReleasesScreen, AskingScreen):
    """Asks why, and then the executor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pin", "Pin", tooltip="Vouch for this release as the golden one, or not"),
        Binding("l", "lift", "Lift", tooltip="Let this version be deployed again"),
        Binding("W", "turn_latch", "Unlock", show=False),
    ]
    KEYS = "p pin or unpin · l lift the quarantine · W unlock what is protected"

    def __init__(
        self, history: History, control: LatchedControl, drafts: Drafts, *, clock: Clock = utc_now
    ) -> None:
        super().__init__(history, clock=clock)
        self._control = control
        self._drafts = drafts

    def action_turn_latch(self) -> None:
        """Unlock for a while what was refused, or lock what is unlocked."""
        latch = self._control.latch
        turned = latch.at_hand(())
        latch.turn(turned)
        self._say(latch_text(latch, turned).plain.strip())

    def action_pin(self) -> None:
        """Ask why the release under the cursor is golden, or is not any more."""
        release = self.query_one(ReleaseList).current
        if release is None:
            return
        if not self._passes_latch(self._control.environments(release.run_id)):
            return
        ruling = Ruling.UNPIN if release.is_golden else Ruling.PIN
        what = f"Release {release.id}, {release.version or 'without a version'},"
        becomes = "is no more" if release.is_golden else "becomes"
        dialog = ReasonDialog(
            "Unpin the release?" if release.is_golden else "Pin the release?",
            plain(f"{what} {becomes} the golden one of {release.environment}."),
            yes="Unpin" if release.is_golden else "Pin",
            request=partial(self._control.rule, ruling, release.id),
            required=False,
            drafts=self._drafts,
        )
        self.app.push_screen(dialog, self._say)

    def action_lift(self) -> None:
        """Ask why the quarantined version may come back."""
        quarantine = self._chosen_quarantine
        if quarantine is None:
            return
        touched = self._control.environments(quarantine.run_id)
        if not self._passes_latch(touched):
            return
        what = f"Version {quarantine.version} may be deployed to {quarantine.environment} again."
        dialog = ReasonDialog(
            "Lift the quarantine?",
            plain(what),
            yes="Lift it",
            request=partial(self._control.rule, Ruling.LIFT, quarantine.id),
            word=confirmation(touched),
            drafts=self._drafts,
        )
        self.app.push_screen(dialog, self._say)

    @property
    def _chosen_quarantine(self) -> Quarantine | None:
        """The one of the release under the cursor, or the chosen one of the list below."""
        shown, release = self.query_one(OptionList), self.query_one(ReleaseList).current
        if shown.has_focus and shown.highlighted is not None:
            return self.quarantines[shown.highlighted]
        wanted = release.quarantine if release else None
        return next((one for one in self.quarantines if one.id == wanted), None)
