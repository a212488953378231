"""Globs for branches and paths: `*` and `?` stop at `/`, `**` does not.

`**/` at the beginning of a folder's name stands for any number of folders, none too.
"""

from __future__ import annotations

import re
from functools import lru_cache

_TOKENS = (
    r"(?P<folders>(?<![^/])(?:\*\*+/)+)|(?P<any>\*\*+)|\*|\?"
    r"|\[(?P<negated>[!^]?+)(?P<members>\]?+[^\]/]*)\]|(?P<text>[^*?\[]+|\[)"
)
_NOT_PLAIN_IN_A_SET = r"[\\\[\]&|~]|-(?=-)"


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches `pattern`; case counts."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(re.sub(_TOKENS, _translate, pattern), re.DOTALL)
    except re.error:  # a range such as [z-a]: the pattern then means its own text
        return re.compile(re.escape(pattern))


def _translate(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "folders":
            return "(?:.*/)?"
        case "any":
            return ".*"
        case "members":
            members = re.sub(_NOT_PLAIN_IN_A_SET, r"\\\g<0>", token["members"])
            return f"(?!/)[{'^' if token['negated'] else ''}{members}]"
        case "text":
            return re.escape(token.group())
        case _:
            return "[^/]" if token.group() == "?" else "[^/]*"
