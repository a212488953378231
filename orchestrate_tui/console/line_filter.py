"""The last filter before styling: what moves the cursor or reorders text never gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from orchestrate_tui.domain.text import harmless

if TYPE_CHECKING:
    from textual.color import Color


class SafeText(LineFilter):
    """Drops control, bidirectional and zero-width characters that a widget let through, and links.

    Widgets show outside text by `visible`; this holds where one of Textual's own does not.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """The segments without such characters."""
        return [segment if segment.control else _harmless(segment) for segment in segments]


def _harmless(segment: Segment) -> Segment:
    text, style, _ = segment
    kept = harmless(text)
    if style is not None and style.link:
        return Segment(kept, style.update_link(None))
    return segment if kept is text or kept == text else Segment(kept, style)
