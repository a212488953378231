"""Every release: its version, where it was brought, by which run, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from orchestrate_tui.console.durations import Clock, clock
from orchestrate_tui.console.marks import GOLDEN, Tone, release_mark
from orchestrate_tui.console.text import visible
from orchestrate_tui.console.widgets.line_view import Piece, RowView
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.release import Release

Fetch = Callable[[int | None], Sequence[Release]]
"""The releases before an id (None: the newest), newest first; none when there are no more."""


class ReleaseList(RowView):
    """Two lines for each release: what it is, and what is said of it."""

    ROW_LINES = 2
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Its run", show=False),
    ]

    class ReleaseChosen(Message):
        """The cursor came to another release, or this one changed."""

    class ReleaseOpened(Message):
        """The operator wants to see the run of a release."""

        def __init__(self, run_id: int) -> None:
            super().__init__()
            self.run_id = run_id

    def __init__(self, fetch: Fetch, *, id: str | None = None, clock: Clock = utc_now) -> None:  # noqa: A002
        super().__init__(id=id)
        self._clock = clock
        self._fetch = fetch
        self._releases: list[Release] = []
        self._is_complete = False

    @property
    def row_count(self) -> int:
        """The releases that are known so far."""
        return len(self._releases)

    @property
    def current(self) -> Release | None:
        """The release under the cursor."""
        return self._releases[self.cursor] if self._releases else None

    def update_releases(self) -> None:
        """Read again what is there; the cursor stays on its release."""
        current = self.current
        wanted = len(self._releases)
        self._releases = list(self._fetch(None))
        self._is_complete = False
        while self._releases and len(self._releases) < wanted and not self._is_complete:
            self._read_on()
        ids = [release.id for release in self._releases]
        if current is not None and self.cursor and current.id in ids:
            self.cursor = ids.index(current.id)
        self.cursor = min(self.cursor, max(self.row_count - 1, 0))
        self._measure()
        self.post_message(self.ReleaseChosen())

    def row_chosen(self) -> None:
        """Read further back when the cursor comes to the end, and tell where it is."""
        if self.cursor == self.row_count - 1 and not self._is_complete:
            self._read_on()
            self._measure()
        self.post_message(self.ReleaseChosen())

    def _read_on(self) -> None:
        more = self._fetch(self._releases[-1].id)
        self._is_complete = not more
        self._releases.extend(more)

    def _measure(self) -> None:
        self.virtual_size = Size(0, self.row_count * self.ROW_LINES)
        self.refresh()

    def action_open(self) -> None:
        """Tell that the run is wanted."""
        if self.current is not None:
            self.post_message(self.ReleaseOpened(self.current.run_id))

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        row, line = divmod(y + self.scroll_offset.y, self.ROW_LINES)
        if row >= self.row_count:
            empty = "No releases yet" if row == line == 0 else ""
            return self.strip([(f" {empty}", self.look("line--faint"))])
        release = self._releases[row]
        pieces = self._summary(release) if line == 0 else self._standing(release)
        style = self.ground("line--cursor") if row == self.cursor and self.has_focus else None
        return self.strip(pieces, style=style)

    def _summary(self, release: Release) -> Iterator[Piece]:
        mark, faint = release_mark(release), self.look("line--faint")
        tone = self.look(f"tone--{mark.tone}")
        yield f" {mark.glyph} ", tone
        yield visible(release.version) or "no version", self.look("line--strong")
        yield f" in {visible(release.place)} ", faint
        yield mark.word, tone
        if release.is_golden:
            yield f" {GOLDEN.glyph} {GOLDEN.word}", self.look(f"tone--{GOLDEN.tone}")

    def _standing(self, release: Release) -> Iterator[Piece]:
        faint = self.look("line--faint")
        yield "   ", faint
        if release.undone_by is not None:
            yield f"undone by rollback {release.undone_by}  ", self.look(f"tone--{Tone.UNDONE}")
        if release.is_golden:
            because = f": {visible(release.pin_reason)}" if release.pin_reason else ""
            yield f"{visible(release.pinned_by or '')} vouches for it{because}  ", faint
        when = clock(release.created_at, self._clock())
        stage, pipeline = visible(release.stage_name), visible(release.pipeline)
        yield f"release {release.id}: {stage} of #{release.run_id} {pipeline}, {when}", faint
