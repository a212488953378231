"""What a process wrote, as pieces of visible text with their colours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrate_tui.console.sgr import PLAIN, SGR, Look, changed
from orchestrate_tui.domain.text import visible

Piece = tuple[str, Look]
"""A text that is safe to show, and how it looks."""

LINE_BYTES = 8 * 1024
"""How much of one line is shown at most."""

MOST_CHANGES = 256
"""How often the look of a text may change; what comes after that is plain."""

TAB = 8
_AS_PICTURE = "(?<=[\u203c-\u3299\U0001f000-\U0001faff])\ufe0f"
"""Asks for a sign in colours, as in ⚠️; without it the sign is the same."""

_CUT = " … (the rest of this line is not shown)"


class LogReader:
    """Reads a log from its start; each line begins plain.

    Tabs become spaces, unless `keeps_tabs`.
    """

    def __init__(self, *, keeps_tabs: bool = False) -> None:
        self._keeps_tabs = keeps_tabs
        self._look = PLAIN
        self._column = 0

    def read(self, text: str) -> list[Piece]:
        """The next part of the present line, without its end."""
        first, *rest = SGR.split(text, MOST_CHANGES)
        pieces = [(self._shown(first), self._look)]
        for parameters, part in zip(rest[::2], rest[1::2], strict=True):
            self._look = changed(self._look, parameters)
            if SGR.search(part):  # too many changes
                self._look, part = PLAIN, SGR.sub("", part)  # noqa: PLW2901
            pieces.append((self._shown(part), self._look))
        return [piece for piece in pieces if piece[0]]

    def end_line(self) -> None:
        """Begin the next line."""
        self._look, self._column = PLAIN, 0

    def _shown(self, text: str) -> str:
        if "\t" not in text:
            self._column += len(shown := _visible(text))
            return shown
        parts = [_visible(part) for part in text.split("\t")]
        return "\t".join(parts) if self._keeps_tabs else "".join(self._spread(parts))

    def _spread(self, parts: list[str]) -> Iterator[str]:
        for number, part in enumerate(parts):
            gap = TAB - self._column % TAB if number else 0
            self._column += gap + len(part)
            yield " " * gap + part


def pieces_of(line: bytes) -> list[Piece]:
    """The first `LINE_BYTES` of a line, with its end or without one."""
    pieces = LogReader().read(_text_of(line))
    return [*pieces, (_CUT, PLAIN)] if _is_cut(line) else pieces


def plain_text_of(line: bytes) -> str:
    """The same without colours."""
    if line.isascii() and len(line) < LINE_BYTES and (text := _text_of(line)).isprintable():
        return text
    return "".join(text for text, _ in pieces_of(line))


def _visible(text: str) -> str:
    return visible(without_pictures(text))


def without_pictures(text: str) -> str:
    """`text` with signs as text that were to be pictures, which are wider than terminals think."""
    return text if text.isascii() else re.sub(_AS_PICTURE, "", text)


def _text_of(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")


def _is_cut(line: bytes) -> bool:
    return len(line) >= LINE_BYTES and not line.endswith(b"\n")
