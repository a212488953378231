"""Text from outside made safe to show: no character moves the cursor, hides or reorders text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

ELLIPSIS = "…"
_PLAIN = re.compile(r"[ -~]*\Z")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """`text` with every control, bidirectional, zero-width and unassigned character made visible.

    The C0 controls become their pictures (ESC is ␛, a tab ␉), others their number as <U+202E>.
    """
    if _PLAIN.match(text):
        return text
    return "".join(map(_shown, text))


@lru_cache(4096)
def _shown(character: str) -> str:
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "␡"
    if unicodedata.category(character) in _INVISIBLE or 0xFE00 <= number <= 0xFE0F:
        return f"<U+{number:04X}>"
    return character


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
