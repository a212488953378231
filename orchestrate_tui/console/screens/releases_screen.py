"""The releases, and the versions that may not come back; a page over the main screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from orchestrate_tui.console.durations import Clock, clock
from orchestrate_tui.console.marks import QUARANTINED, Tone
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.console.widgets.release_list import ReleaseList
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.release import Quarantine, Release

if TYPE_CHECKING:
    from orchestrate_tui.store.history import History

LOOK_INTERVAL_S = 0.5


class ReleasesScreen(Dialog[int]):
    """Shows them as they change; answers with the run that is wanted."""

    CSS_PATH = "releases_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False),
    ]
    KEYS: ClassVar[str] = ""

    def __init__(self, history: History, *, clock: Clock = utc_now) -> None:
        super().__init__()
        self._history = history
        self._clock = clock
        self._version = -1
        self.quarantines: Sequence[Quarantine] = ()

    def compose(self) -> ComposeResult:
        """The releases above the versions that are quarantined."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content("Releases")
            frame.border_subtitle = Content("Tab next · Enter its run · Esc close")
            yield ReleaseList(self._fetch, id="releases", clock=self._clock)
            yield Static(id="heading", classes="note")
            yield OptionList(id="quarantines")
            yield Static(self.KEYS, id="keys", classes="note")

    def on_mount(self) -> None:
        """Show what is there, and what becomes of it."""
        self._look()
        self.query_one(ReleaseList).focus()
        self.set_interval(LOOK_INTERVAL_S, self._look)

    def _fetch(self, before: int | None) -> Sequence[Release]:
        return self._history.releases(before=before)

    def _look(self) -> None:
        """Read again when something was committed."""
        version = self._history.data_version()
        if version == self._version:
            return
        self._version = version
        self.query_one(ReleaseList).update_rows()
        self.quarantines = self._history.quarantines(limit=200)
        shown = self.query_one(OptionList)
        before, place = shown.highlighted_option, shown.highlighted or 0
        shown.clear_options()
        shown.add_options(
            [Option(self._quarantine_line(one), id=str(one.id)) for one in self.quarantines]
        )
        shown.display = bool(self.quarantines)
        if self.quarantines:
            same = (n for n, one in enumerate(shown.options) if before and one.id == before.id)
            shown.highlighted = next(same, min(place, len(self.quarantines) - 1))
        heading = "Quarantined: not deployed again until that is lifted"
        self.query_one("#heading", Static).update(
            heading if self.quarantines else "No version is quarantined"
        )

    def _quarantine_line(self, one: Quarantine) -> Content:
        when = clock(one.created_at, self._clock())
        return joined(
            [
                toned(f"{QUARANTINED.glyph} {one.version}", QUARANTINED.tone),
                plain(f"in {one.place} of {one.pipeline}"),
                toned(f"rollback {one.rollback_id} of #{one.run_id}, {when}", Tone.QUIET),
            ]
        )

    @on(ReleaseList.ReleaseOpened)
    def _open(self, event: ReleaseList.ReleaseOpened) -> None:
        self.dismiss(event.run_id)

    @on(OptionList.OptionSelected)
    def _open_quarantined(self, event: OptionList.OptionSelected) -> None:
        run_ids = {str(one.id): one.run_id for one in self.quarantines}
        self.dismiss(run_ids.get(event.option_id or ""))
