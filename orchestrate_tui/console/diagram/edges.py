"""The lines of a diagram, kept as lines and turned into characters a row at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import field
from itertools import accumulate

from orchestrate_tui.values import dataclass

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
GLYPHS = dict(
    zip(
        (
            UP | DOWN,
            LEFT | RIGHT,
            DOWN | RIGHT,
            DOWN | LEFT,
            UP | RIGHT,
            UP | LEFT,
            UP | DOWN | RIGHT,
            UP | DOWN | LEFT,
            DOWN | LEFT | RIGHT,
            UP | LEFT | RIGHT,
            UP | DOWN | LEFT | RIGHT,
        ),
        "│─╭╮╰╯├┤┬┴┼",
        strict=True,
    )
)
"""The character that connects to exactly these sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertical:
    """A vertical line, and the rows in which lines meet it from the left and from the right."""

    x: int
    top: int
    bottom: int
    lefts: frozenset[int]
    rights: frozenset[int]

    def glyph(self, row: int) -> str:
        """Its character in `row`; a line that only passes is bridged."""
        sides = UP * (row > self.top) | DOWN * (row < self.bottom)
        sides |= LEFT * (row in self.lefts) | RIGHT * (row in self.rights)
        return GLYPHS[sides]


@dataclass(slots=True)
class Edges:
    """All lines: horizontal ones by row, vertical ones by column, each sorted."""

    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    verticals: dict[int, list[Vertical]] = field(default_factory=dict)
    _starts: dict[int, list[int]] = field(default_factory=dict)
    _reaches: dict[int, list[int]] = field(default_factory=dict)
    _columns: list[int] = field(default_factory=list)
    _tops: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, spans: Iterable[tuple[int, int, int]], verticals: Iterable[Vertical]) -> Edges:
        """The lines given as (row, first column, column after the last) and vertical ones."""
        edges = cls()
        for row, start, end in spans:
            edges.spans.setdefault(row, []).append((start, end))
        for row, lines in edges.spans.items():
            lines.sort()
            edges._starts[row] = [first for first, _ in lines]
            edges._reaches[row] = list(accumulate((last for _, last in lines), max))
        for vertical in verticals:
            edges.verticals.setdefault(vertical.x, []).append(vertical)
        for column in edges.verticals.values():
            column.sort(key=lambda line: line.top)
        edges._columns = sorted(edges.verticals)
        edges._tops = {x: [line.top for line in lines] for x, lines in edges.verticals.items()}
        return edges

    def text(self, row: int, start: int, end: int) -> str:
        """The characters of one row in the columns from `start` to before `end`."""
        cells = [" "] * (end - start)
        for first, last in self._spans(row, start, end):
            left, right = max(first, start), min(last, end)
            if left < right:
                cells[left - start : right - start] = "─" * (right - left)
        columns = self._columns
        for x in columns[bisect_left(columns, start) : bisect_left(columns, end)]:
            vertical = self._vertical(x, row)
            if vertical is not None:
                cells[x - start] = vertical.glyph(row)
        return "".join(cells)

    def _spans(self, row: int, start: int, end: int) -> Sequence[tuple[int, int]]:
        """The horizontal lines of a row that may be seen in these columns."""
        if row not in self.spans:
            return ()
        reached = bisect_right(self._reaches[row], start)
        return self.spans[row][reached : bisect_left(self._starts[row], end)]

    def _vertical(self, x: int, row: int) -> Vertical | None:
        place = bisect_right(self._tops[x], row) - 1
        if place < 0:
            return None
        vertical = self.verticals[x][place]
        return vertical if row <= vertical.bottom else None
