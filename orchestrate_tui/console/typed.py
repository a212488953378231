"""What the terminal sends, as messages; what makes no sense is nothing that was typed.

Textual's parser fails on the number of no character, on one with a colon in it, and on a click in
a window that says it has no pixels: the thread that reads the keys would end, and the console hear
nothing any more. Nobody has to mean harm: a line that garbles a byte is enough.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.events import Key, Resize
from textual.geometry import Size
from textual.keys import Keys
from textual.message import Message

LARGEST = Size(1000, 500)
"""The part of a window that is drawn on: more columns and rows than a screen has room for.

What a window says of its size need not be true, and each cell costs memory.
"""


class TypedText(XTermParser):
    """Textual's parser, without its failures and without the windows that nobody has."""

    def parse_mouse_code(self, code: str) -> Message | None:
        """The message of a mouse's sequence; None for one that has no place on the screen."""
        try:
            return super().parse_mouse_code(code)
        except ArithmeticError:
            return None

    def _sequence_to_key_events(self, sequence: str, *how: bool, **given: bool) -> Iterable[Key]:
        try:
            return list(super()._sequence_to_key_events(sequence, *how, **given))
        except (ValueError, OverflowError):
            return [Key(Keys.Ignore.value, sequence)]


def fitting(message: Message) -> Message:
    """The message, a new size of the window cut to what is drawn on."""
    if isinstance(message, Resize) and message.size != drawn(message.size):
        size = drawn(message.size)
        return Resize(size, size, size, message.pixel_size)
    return message


def drawn(size: tuple[int, int]) -> Size:
    """How much of a window of that size is drawn on."""
    width, height = size
    return Size(min(width, LARGEST.width), min(height, LARGEST.height))
