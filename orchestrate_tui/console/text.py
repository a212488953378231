"""How wide text is on a terminal, and text made to fit."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from orchestrate_tui.domain.text import visible

__all__ = ["ELLIPSIS", "cell_width", "fitted", "shortened", "visible"]

ELLIPSIS = "…"


def cell_width(text: str) -> int:
    """How many cells of a terminal a visible text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


@lru_cache(4096)
def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


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
