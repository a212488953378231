"""A layout read row by row, which is how both paper and screen want it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from orchestrate_tui.console.diagram.layout import Box, Layout
from orchestrate_tui.values import dataclass

ARROW_HEAD = "▶"
Part = str | Box
"""Lines between boxes as text, or a box."""


@dataclass(frozen=True)
class Scan:
    """The parts of each row of a layout, from left to right."""

    layout: Layout

    @cached_property
    def boxes(self) -> Mapping[int, Sequence[Box]]:
        """The boxes that each row meets."""
        rows: dict[int, list[Box]] = {}
        for box in sorted(self.layout.boxes.values(), key=lambda box: box.x):
            for row in range(box.y, box.y + box.height):
                rows.setdefault(row, []).append(box)
        return rows

    def row(self, row: int, start: int, end: int) -> Iterator[Part]:
        """The parts that reach from column 0 to `end`; lines left of `start` are left blank."""
        boxes = self.boxes.get(row, ())
        first = max(bisect_right(boxes, start, key=lambda box: box.x) - 1, 0)
        x = 0
        for box in boxes[first:]:
            if box.x > end:
                break
            head = ARROW_HEAD if box.entered and row == box.row else ""
            yield self._lines(row, x, box.x - len(head), start) + head
            yield box
            x = box.x + box.width
        yield self._lines(row, x, max(end, x), start)

    def _lines(self, row: int, x: int, end: int, start: int) -> str:
        hidden = max(min(start, end) - x, 0)
        return " " * hidden + self.layout.edges.text(row, x + hidden, end)

    def box_at(self, x: int, row: int) -> Box | None:
        """The box in a cell, if there is one."""
        boxes = self.boxes.get(row, ())
        return next((box for box in boxes if box.x <= x < box.x + box.width), None)


def border(box: Box, line: int, note: str = "") -> str:
    """The top (line 0) or bottom of a box, the bottom with a note in it if there is room."""
    inner = box.width - 2
    if line == 0:
        return f"╭{'─' * inner}╮"
    noted = f" {note} ─" if note and len(note) + 3 <= inner else ""
    return f"╰{noted.rjust(inner, '─')}╯"
