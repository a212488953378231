"""What the terminal sends, as messages; what makes no sense is nothing that was typed.

Textual's parser fails on the number of no character, on one with a colon in it, and on a click in
a window that says it has no pixels: the thread that reads the keys would end, and the console hear
nothing any more. Nobody has to mean harm: a line that garbles a byte is enough.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

from textual._xterm_parser import XTermParser
from textual.events import Key, Paste, Resize
from textual.geometry import Size
from textual.keys import Keys
from textual.message import Message

LARGEST = Size(1000, 500)
"""The part of a window that is drawn on: more columns and rows than a screen has room for.

What a window says of its size need not be true, and each cell costs memory.
"""


_PASTE, _END_OF_PASTE, _ESCAPE = "\x1b[200~", "\x1b[201~", "\x1b"


class TypedText(XTermParser):
    """Textual's parser, without its failures and without the windows that nobody has.

    What is pasted is no key, whatever it says and however its pieces come. Textual takes for keys
    what follows an escape character in it, which a tmux that pastes lets through, and all of it
    when the mark of its beginning comes in pieces, with a pause between them.
    """

    _pasted: list[str] | None = None
    """What was pasted so far; None while nothing is."""
    _unfinished = ""
    """The end of what came, with which the next mark may have begun; of a paste it is held back."""

    def feed(self, data: str) -> Iterator[Message]:
        """The messages in what was typed, pasted and told by the terminal."""
        while data:
            if self._pasted is None:
                data = yield from self._take_typed(data)
            else:
                data = yield from self._take_pasted(data, self._pasted)

    def _take_typed(self, data: str) -> Generator[Message, None, str]:
        """What comes before the next paste; returns what comes after its mark."""
        begun = self._unfinished
        typed, mark, rest = (begun + data).partition(_PASTE)
        if new := typed[len(begun) :]:
            yield from super().feed(new)  # to feed nothing would be the end of it all
        self._unfinished = "" if mark else _begun(typed, _PASTE)
        if mark:
            self._pasted = []
            waiting = self._give_up_waiting()
            if typed or not begun:  # else it waits for the rest of the mark
                yield from waiting
        return rest

    def _take_pasted(self, data: str, pieces: list[str]) -> Generator[Message, None, str]:
        """The rest of a paste, when it ends; returns what comes after its mark."""
        pasted, mark, rest = (self._unfinished + data).partition(_END_OF_PASTE)
        self._unfinished = "" if mark else _begun(pasted, _END_OF_PASTE)
        pieces.append(pasted.removesuffix(self._unfinished))
        if mark:
            self._pasted = None
            yield Paste("".join(pieces).replace(_ESCAPE, "").replace("\0", ""))
        return rest

    def _give_up_waiting(self) -> Sequence[Message]:
        """The messages in what is not the beginning of a sequence after all."""
        if self._timeout_time is not None:
            self._timeout_time = 0.0
        return tuple(self.tick())

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


def _begun(text: str, whole: str) -> str:
    """The end of the text with which the whole may begin."""
    sizes = range(len(whole) - 1, 0, -1)
    return next((whole[:size] for size in sizes if text.endswith(whole[:size])), "")


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
