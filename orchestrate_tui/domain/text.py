"""Text from outside made safe to show: no character moves the cursor, hides or reorders text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_PLAIN = re.compile(r"[ -~]*\Z")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_DRAWS_NOTHING = re.compile(  # though its category is that of a letter or a mark
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


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
    if unicodedata.category(character) in _INVISIBLE or _DRAWS_NOTHING.match(character):
        return f"<U+{number:04X}>"
    return character
