"""How wide text is on a terminal, and text made to fit."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from orchestrate_tui.domain import text as outside
from orchestrate_tui.domain.text import takes_no_cell

__all__ = ["ELLIPSIS", "cell_width", "fitted", "shortened", "visible"]

ELLIPSIS = "…"

MOST_SHOWN = 1000
"""How many characters of one text a screen shows; a longer one would hold it up."""

_WIDE = (  # since a later Unicode than Python's own
    "[\u2630-\u2637\u268a-\u268f\u4dc0-\u4dff\U0001d300-\U0001d356\U0001d360-\U0001d376]"
)


def visible(text: str) -> str:
    """`text` with everything made visible; of a very long one its beginning, and how long it is."""
    if len(text) <= MOST_SHOWN:
        return outside.visible(text)
    return outside.visible(text[:MOST_SHOWN]) + f"{ELLIPSIS} ({len(text):,} characters)"


def cell_width(text: str) -> int:
    """How many cells of a terminal a visible text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


@lru_cache(4096)
def _cells(character: str) -> int:
    if takes_no_cell(character):
        return 0
    is_wide = unicodedata.east_asian_width(character) in {"W", "F"} or re.match(_WIDE, character)
    return 2 if is_wide else 1


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` cells; what was cut off is replaced by an ellipsis."""
    if cell_width(text) <= width:
        return text
    kept, room = [], width - 1
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS if width > 0 else ""


def fitted(text: str, width: int) -> str:
    """`text` in exactly `width` cells, shortened or filled with spaces."""
    text = shortened(text, width)
    return text + " " * (width - cell_width(text))
