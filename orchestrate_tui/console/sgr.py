"""The colours of a log: which of its SGR sequences count, and when a colour can be read.

Of what such a sequence can ask for, colours, bold, dim, italic, underline and reverse are shown.
Blinking, hidden and crossed-out text, links, fonts and frames are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from orchestrate_tui.values import dataclass

Rgb = tuple[int, int, int]
Colour = int | Rgb
"""A number of the palette of 256, or what it is made of."""

SGR = re.compile(r"\x1b\[([0-9;:]{0,48})m")
"""A sequence for colours; a longer one is no honest one, and shown as it is written."""

LEAST_CONTRAST = 1.8
"""Below that a text is as good as hidden; 1 is none at all, 21 is black on white."""

WHITE, BLACK = 15, 0
_GREY = 8
_NAMED = {*range(1, 7), *range(9, 15)}
"""The colours that the theme of a terminal keeps legible on its own background."""
_SIXTEEN = (
    *((0, 0, 0), (205, 49, 49), (13, 148, 84), (186, 142, 22)),
    *((58, 118, 214), (188, 63, 188), (17, 150, 176), (204, 204, 204)),
    *((118, 118, 118), (241, 100, 100), (35, 209, 139), (230, 200, 60)),
    *((100, 160, 250), (214, 112, 214), (41, 184, 219), (255, 255, 255)),
)
_STEPS = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a text looks; None is the colour that the screen has anyway."""

    text: Colour | None = None
    ground: Colour | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


PLAIN = Look()

_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse"}
_CHANGES: dict[int, dict[str, Any]] = {
    0: {name: getattr(PLAIN, name) for name in Look.__slots__},
    **{code: {flag: True} for code, flag in _FLAGS.items()},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"reverse": False},
    39: {"text": None},
    49: {"ground": None},
    **{30 + number: {"text": number} for number in range(8)},
    **{40 + number: {"ground": number} for number in range(8)},
    **{90 + number: {"text": 8 + number} for number in range(8)},
    **{100 + number: {"ground": 8 + number} for number in range(8)},
}
_EXTENDED = {38: "text", 48: "ground"}


@lru_cache(1024)
def changed(look: Look, parameters: str) -> Look:
    """The look after an SGR sequence with these parameters; codes that do not count are skipped."""
    changes: dict[str, Any] = {}
    codes = (int(code or 0) for code in parameters.split(";") if ":" not in code)
    for code in codes:
        if code in _EXTENDED:
            colour = _extended(codes)
            changes |= {_EXTENDED[code]: colour} if colour is not None else {}
        else:
            changes |= _CHANGES.get(code, {})
    after = replace(look, **changes)
    return PLAIN if after == PLAIN else after


def _extended(codes: Iterator[int]) -> Colour | None:
    """The colour that follows 38 or 48; None when it makes no sense."""
    match next(codes, None):
        case 5:
            number = next(codes, 256)
            return number if number < 256 else None
        case 2:
            parts = tuple(islice(codes, 3))
            return parts if len(parts) == 3 and max(parts) < 256 else None
        case _:
            return None


def parameters(look: Look) -> str:
    """The parameters of the one SGR sequence that leads to a look from any other."""
    flags = [str(code) for code, flag in _FLAGS.items() if getattr(look, flag)]
    return ";".join(("0", *flags, *_code(look.text, 38), *_code(look.ground, 48)))


def _code(colour: Colour | None, code: int) -> tuple[str, ...]:
    if colour is None:
        return ()
    if isinstance(colour, tuple):
        return (str(code), "2", *map(str, colour))
    if colour < 16:
        return (str(code - 8 + colour if colour < 8 else code + 44 + colour),)
    return (str(code), "5", str(colour))


@lru_cache(1024)
def legible(look: Look, screen: Rgb | None) -> Look:
    """The look with a text that can be told from what is behind it.

    `screen` is the background where the look sets none; None when it is not known: then only
    what a theme keeps legible, or what stands out from both black and white, keeps its colour.
    """
    if look.ground is not None:
        behind = rgb(look.ground)
        if look.text is not None and contrast(rgb(look.text), behind) >= LEAST_CONTRAST:
            return look
        on_black = contrast(rgb(BLACK), behind) >= contrast(rgb(WHITE), behind)
        return replace(look, text=BLACK if on_black else WHITE)
    if look.text is None:
        return look
    if screen is not None:
        stands_out = contrast(rgb(look.text), screen) >= LEAST_CONTRAST
    elif look.text == _GREY:
        return replace(look, text=None, dim=True)
    else:
        on_any = (contrast(rgb(look.text), rgb(end)) for end in (BLACK, WHITE))
        stands_out = look.text in _NAMED or (look.text not in range(16) and min(on_any) >= 1.5)
    return look if stands_out else replace(look, text=None)


def rgb(colour: Colour) -> Rgb:
    """What a colour is made of; those of the palette as most terminals have them."""
    if isinstance(colour, tuple):
        return colour
    if colour < 16:
        return _SIXTEEN[colour]
    if colour < 232:
        number = colour - 16
        return _STEPS[number // 36], _STEPS[number // 6 % 6], _STEPS[number % 6]
    grey = 8 + 10 * (colour - 232)
    return grey, grey, grey


def contrast(one: Rgb, other: Rgb) -> float:
    """How well two colours can be told apart, from 1 to 21 (WCAG 2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (
        part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
