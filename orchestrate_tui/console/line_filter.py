"""The last filter before the terminal: what moves the cursor or reorders text never gets there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


class SafeText(LineFilter):
    """Drops control, bidirectional and zero-width characters that a widget let through.

    Widgets show outside text by `visible`; this holds where one of Textual's own does not.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """The segments without such characters."""
        if not any(_UNSAFE.search(text) for text, _, control in segments if not control):
            return segments
        return [
            segment if segment.control else Segment(_UNSAFE.sub("", segment.text), segment.style)
            for segment in segments
        ]
