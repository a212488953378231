"""Globs for branches and paths: `*` and `?` stop at `/`, `**` does not.

`**/` at the beginning of a folder's name stands for any number of folders, none too.

As a regular expression a pattern of many stars would take for ever. Here the places of the text
where what was read of the pattern may end are the bits of one number, and each part of the
pattern moves all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from orchestrate_tui.values import dataclass

_TOKENS = (
    r"(?P<folders>(?<![^/])(?:\*\*+/)+)|(?P<any>\*\*+)|(?P<star>\*)|(?P<one>\?)"
    r"|\[(?P<negated>[!^]?+)(?P<members>\]?+[^\]/]*)\]|(?P<text>[^*?\[]+|\[)"
)
_SLASH = re.compile("/")
_NOT_PLAIN_IN_A_SET = r"[\\\[\]&|~]|-(?=-)"


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches `pattern`; case counts."""
    glob = _glob(pattern)
    if not (text.startswith(glob.head) and text.endswith(glob.tail)):
        return False
    asked, places = _Asked(text), 1
    for part in glob.parts:
        places = part(asked, places)
    return bool(places >> len(text))


class _Asked:
    """A text; of numbers that say where something is, bit `i` stands for its character `i`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[re.Pattern[str], int] = {}
        self._end = 1 << len(text) + 1
        self.slashes = self.where(_SLASH)
        self.others = self.slashes ^ (1 << len(text)) - 1

    def where(self, what: re.Pattern[str]) -> int:
        """Where that begins."""
        if what not in self._known:
            digits = bytearray(b"0") * (len(self._text) + 1)
            for found in what.finditer(self._text):
                digits[-1 - found.start()] = ord("1")
            self._known[what] = int(digits, 2)
        return self._known[what]

    def onwards(self, places: int) -> int:
        """From the first of the places on, to behind the last character."""
        return self._end - (places & -places) if places else 0


_Part = Callable[[_Asked, int], int]
"""Where a part of a pattern may end that begins at one of the places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Glob:
    """The parts of a pattern; what matches begins with `head` and ends with `tail`."""

    parts: tuple[_Part, ...]
    head: str = ""
    tail: str = ""


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> _Glob:
    tokens = list(re.finditer(_TOKENS, pattern))
    try:
        parts = tuple(map(_part, tokens))
    except re.error:  # a range such as [z-a]: the pattern then means its own text
        return _Glob(parts=(_text(pattern),), head=pattern, tail=pattern)
    texts = [token["text"] or "" for token in tokens] or [""]
    return _Glob(parts=parts, head=texts[0], tail=texts[-1])


def _part(token: re.Match[str]) -> _Part:
    match token.lastgroup:
        case "folders":
            return _folders
        case "any":
            return _Asked.onwards
        case "star":
            return _star
        case "one":
            return _one
        case "members":
            members = re.sub(_NOT_PLAIN_IN_A_SET, r"\\\g<0>", token["members"])
            negation = "^" if token["negated"] else ""
            return partial(_plain, re.compile(f"(?!/)[{negation}{members}]"), 1)
        case _:
            return _text(token["text"])


def _text(text: str) -> _Part:
    return partial(_plain, re.compile(f"(?={re.escape(text)})"), len(text))


def _plain(what: re.Pattern[str], size: int, asked: _Asked, places: int) -> int:
    return (places & asked.where(what)) << size


def _one(asked: _Asked, places: int) -> int:
    return (places & asked.others) << 1


def _star(asked: _Asked, places: int) -> int:
    """What is added carries from each place to the end of its folder's name."""
    return places | asked.others ^ (asked.others + (places & asked.others))


def _folders(asked: _Asked, places: int) -> int:
    return places | (asked.onwards(places) & asked.slashes) << 1
