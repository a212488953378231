"""Globs of paths: whether two of them can name the same, or something within what the other names.

`*` and `?` stop at `/`; a `**` between slashes stands for any number of folders.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ANY_DEPTH = "**"
_SIGNS = re.compile(r"[*?[]")


def overlap(one: str, other: str) -> bool:
    """Whether some path matches one and lies at, in or above a path that matches the other."""
    for part, against in zip(_parts(one), _parts(other), strict=False):
        if _ANY_DEPTH in {part, against}:  # it may stand for all that the other one still names
            return True
        if not _names_meet(part, against):
            return False
    return True  # the rest of the longer one lies within the other


def _parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part not in {"", "."}]


@lru_cache(maxsize=1024)
def _names_meet(one: str, other: str) -> bool:
    """Whether some name matches both; a set of characters counts as any character."""
    if not _SIGNS.search(one) and not _SIGNS.search(other):
        return one == other
    return _texts_meet(_tokens(one), _tokens(other))


def _tokens(pattern: str) -> tuple[str, ...]:
    """Characters, "*" for any text and "?" for any character; a plain name has no signs."""
    return tuple(re.sub(r"\[[^]]+\]", "?", pattern))


def _texts_meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether some text matches both, by the pairs of positions that can be reached."""
    waiting, seen = [(0, 0)], set[tuple[int, int]]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        first, second = here
        left, right = one[first : first + 1], other[second : second + 1]
        if not left and not right:
            return True
        if left == ("*",):
            waiting.append((first + 1, second))
        if right == ("*",):
            waiting.append((first, second + 1))
        if left and right:
            if left == ("*",):
                waiting.append((first, second + 1))
            if right == ("*",):
                waiting.append((first + 1, second))
            if left == right or "?" in {*left, *right}:
                waiting.append((first + 1, second + 1))
    return False
