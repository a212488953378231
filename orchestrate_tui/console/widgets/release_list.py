"""Every release: its version, where it was brought, by which run, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from orchestrate_tui.console.durations import clock
from orchestrate_tui.console.marks import GOLDEN, Tone, release_mark
from orchestrate_tui.console.text import visible
from orchestrate_tui.console.widgets.line_view import Piece
from orchestrate_tui.console.widgets.paged_rows import PagedRows
from orchestrate_tui.domain.release import Release


class ReleaseList(PagedRows[Release]):
    """What each release is, and what is said of it."""

    EMPTY = "No releases yet"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Its run", show=False),
    ]

    class ReleaseOpened(Message):
        """The operator wants to see the run of a release."""

        def __init__(self, run_id: int) -> None:
            super().__init__()
            self.run_id = run_id

    def action_open(self) -> None:
        """Tell that the run is wanted."""
        if self.current is not None:
            self.post_message(self.ReleaseOpened(self.current.run_id))

    def pieces(self, row: Release, line: int) -> Iterator[Piece]:
        """What it is, then what became of it."""
        return self._standing(row) if line else self._summary(row)

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
        when = clock(release.created_at, self.clock())
        stage, pipeline = visible(release.stage_name), visible(release.pipeline)
        yield f"release {release.id}: {stage} of #{release.run_id} {pipeline}, {when}", faint
