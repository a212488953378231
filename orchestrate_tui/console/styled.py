"""Texts with tones, as Textual's own widgets take them; never read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.text import visible

COLOURS = {
    Tone.QUIET: "$foreground 60%",
    Tone.ACTIVE: "$text-primary",
    Tone.ATTENTION: "$text-warning",
    Tone.GOOD: "$text-success",
    Tone.BAD: "$text-error",
    Tone.UNDONE: "$text-secondary",
}
"""The colour of each tone in a text."""


def plain(text: str) -> Content:
    """Outside text as it is, made safe to show."""
    return Content(visible(text))


def toned(text: str, tone: Tone | None) -> Content:
    """Outside text in a tone, made safe to show."""
    return Content.styled(visible(text), COLOURS[tone]) if tone else plain(text)


def joined(parts: Iterable[Content], separator: str = "  ") -> Content:
    """The parts that are not empty, one after the other."""
    return Content(separator).join([part for part in parts if part.plain])


def lines(parts: Iterable[Content]) -> Content:
    """The parts below each other."""
    return Content("\n").join(parts)
