"""Lines with the glyph of a status, and tables: aligned columns, colour only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from orchestrate_tui.console.marks import Mark, Tone
from orchestrate_tui.console.text import cell_width
from orchestrate_tui.domain.text import visible

_COLOURS = {
    Tone.QUIET: "2",
    Tone.ACTIVE: "36",
    Tone.ATTENTION: "33",
    Tone.GOOD: "32",
    Tone.BAD: "31",
    Tone.UNDONE: "35",
}


def say_marked(mark: Mark, text: str) -> None:
    """Print one line that begins with the glyph of a status."""
    print(f"{_coloured(mark)} {visible(text)}", flush=True)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns, the last one as long as it is."""
    shown = [tuple(map(visible, row)) for row in rows]
    widths = [max(map(cell_width, column)) for column in zip(heads, *shown, strict=True)]
    for row in (heads, *shown):
        cells = (cell + " " * (w - cell_width(cell)) for cell, w in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def shows_colours() -> bool:
    """Whether standard output is a terminal, and NO_COLOR does not ask for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _coloured(mark: Mark) -> str:
    if not shows_colours():
        return mark.glyph
    return f"\x1b[{_COLOURS[mark.tone]}m{mark.glyph}\x1b[0m"
