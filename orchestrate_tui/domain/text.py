"""Text from outside made safe to show: no character moves the cursor, hides or reorders text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

MOST_MARKS = 4
"""How many marks one character may carry; a tower of them would reach into other lines."""

MANY = 100
"""So many different characters are not replaced one after the other: that takes time for each."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_DRAWS_NOTHING = (  # though its category is that of a letter or a mark
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SHADE = "[\U0001f3fb-\U0001f3ff]"
"""Tones of skin: some terminals colour the sign before it, others draw one more of two cells."""

_MARKS = frozenset({"Mn", "Mc", "Me"})
_JOINS = "[\u1160-\u11ff\ud7b0-\ud7fb]"


def visible(text: str) -> str:
    """`text` with every control, bidirectional, zero-width and unassigned character made visible.

    The C0 controls become their pictures (ESC is ␛, a tab ␉), others their number as <U+202E>;
    so does a mark without a character to stand on, or beyond the fourth on one, and a tone of skin.
    """
    if text.isascii() and text.isprintable():
        return text
    characters = set(text)
    shown = _replaced(text, characters)
    marks = _marks(map(_shown, characters))
    if not marks:
        return shown
    odd = re.compile(f"^[{marks}]+|{_above_tower(marks)}")
    return odd.sub(lambda found: "".join(map(_number, found[0])), shown)


def visible_in_parts(text: str, kept: str) -> str | None:
    """`text` as `visible` shows its parts, with what is `kept` between them as it is.

    A part begins after a character of `kept`, or after the `m` that ends a colour. None where it
    matters which of these are meant: for marks that follow one, or pile up.
    """
    if text.isascii() and text.isprintable():
        return text
    characters = set(text).difference(kept)
    shown = _replaced(text, characters)
    marks = "".join(sorted(_marks(map(_shown, characters))))
    odd = rf"(?:\A|[m{kept}])[{marks}]|[{marks}]{{{MOST_MARKS + 1}}}"
    return None if marks and re.search(odd, shown) else shown


def _replaced(text: str, characters: Iterable[str]) -> str:
    """`text` with those characters of it as they are shown."""
    odd = [character for character in characters if _shown(character) != character]
    if len(odd) > MANY:
        return text.translate({ord(character): _shown(character) for character in odd})
    for character in odd:
        text = text.replace(character, _shown(character))
    return text


def harmless(text: str) -> str:
    """`text` without what `visible` would replace; for a part of what is already laid out.

    What takes a cell leaves a sign in its place.
    """
    if text.isascii() and text.isprintable():
        return text
    kept_as = {character: _kept(character) for character in set(text)}
    kept = "".join(map(kept_as.__getitem__, text))
    marks = _marks(kept_as.values())
    return re.sub(_above_tower(marks), "", kept) if marks else kept


def _marks(shown: Iterable[str]) -> str:
    return "".join(one for one in shown if len(one) == 1 and takes_no_cell(one))


def _above_tower(marks: str) -> str:
    return f"(?<=[{marks}]{{{MOST_MARKS}}})[{marks}]+"


@lru_cache(4096)
def takes_no_cell(character: str) -> bool:
    """Whether a terminal draws a visible character onto the one before it."""
    return unicodedata.category(character) in _MARKS or bool(re.match(_JOINS, character))


@lru_cache(4096)
def _shown(character: str) -> str:
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "␡"
    is_invisible = unicodedata.category(character) in _INVISIBLE
    if is_invisible or re.match(f"{_DRAWS_NOTHING}|{_SHADE}", character):
        return _number(character)
    return character


@lru_cache(4096)
def _kept(character: str) -> str:
    if _shown(character) == character:
        return character
    takes_a_cell = unicodedata.category(character) in {"Co", "Cn", "Cs"}
    return "\ufffd" if takes_a_cell else ""


def _number(character: str) -> str:
    return f"<U+{ord(character):04X}>"
