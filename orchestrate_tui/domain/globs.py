"""Globs for branches and paths: `*` and `?` stop at `/`, `**` does not."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]/]*\]|[^*?\[]+|\[")


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches `pattern`; case counts."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    expression = "".join(_translate(token) for token in _TOKENS.findall(pattern))
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:  # a range such as [z-a]: the pattern then means its own text
        return re.compile(re.escape(pattern))


def _translate(token: str) -> str:
    match token:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if token.startswith("[") and len(token) > 1:
            return _translate_set(token[1:-1])
        case _:
            return re.escape(token)


def _translate_set(body: str) -> str:
    negated = body[0] in "!^"
    members = body[1:] if negated else body
    escaped = members.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    return f"[^/{escaped}]" if negated else f"[{escaped}]"
