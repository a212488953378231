"""What a text says to whoever reads it, whatever stands between its letters or in their place.

Colours and the lines of encoders come between letters; URLs, JSON, programming languages and
shells write some of them, or all, as something else, and put a backslash before others. Which they
treat so differs from one to the next, and so no list of forms is complete.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate

from orchestrate_tui.stagehost.searching import Span

CONTEXT = 42
"""How many bytes before it tell what something is: a line of an encoder from any other."""

CONTROL = rb"\x1b(?:\[[0-?]{0,255}[ -/]{0,9}(?:[@-~]|\Z)|\Z)"
"""What changes how a terminal shows text; its end may be yet to come."""

_LINE = rb"[A-Za-z0-9+/_-]{40}"
_HEX = rb"[0-9A-Fa-f]"
_HALF = rb"u[dD][89abAB]%b{2}\\{1,16}" % _HEX  # of a character beyond U+FFFF

Kinds = tuple[tuple[bytes, bytes], ...]

_FILLERS: Kinds = (
    (b"\x1b", CONTROL),
    (b"\n", rb"\n(?<=%b\n)[ \t]{0,32}" % _LINE),
    (b"\r", rb"\r(?<=%b\r)(?:\n[ \t]{0,32}|\Z)" % _LINE),
    (b"\\", rb"\\(?=[\\rn])(?<=%b\\)\\{0,15}[rn](?:\\{1,16}n)?" % _LINE),
    (b"\0", rb"\0\0*"),  # every other byte of UTF-16
)
"""What may stand between letters, by what it begins with."""

_PERCENT = (
    rb"%%(?:[013-9A-Fa-f]%(hex)b|2[0-46-9A-Fa-f]|25(?:25)?(?:25)?(?:%(hex)b{2})?|u%(hex)b{4}"
    rb"|(?:%(hex)b|u%(hex)b{0,3})?%(end)b)"
)
_BACKSLASH = (
    rb"\\(?:(?![\\ux0-3])"
    rb"|\\{0,15}(?:" + _HALF + rb"(?:u[dD][c-fC-F]%(hex)b{2}|(?:u%(hex)b{0,3})?%(end)b)"
    rb"|u%(hex)b{4}|x%(hex)b{2}|[0-3][0-7]{2}"
    rb"|(?:u%(hex)b{0,3}|x%(hex)b?|[0-3][0-7]?)%(end)b)?)"
)
_ESCAPES = ((b"%", _PERCENT), (b"\\", _BACKSLASH))
"""What letters are written as, by what it begins with; at the end of a stream also a part of it.

What is quoted in what is quoted has many backslashes, and its %% are %%25.
"""
_IN_A_STREAM = tuple((sign, one % {b"hex": _HEX, b"end": rb"\Z"}) for sign, one in _ESCAPES)
_IN_A_WHOLE = tuple((sign, one % {b"hex": _HEX, b"end": rb"(?!)"}) for sign, one in _ESCAPES)

_LETTERS = bytes.maketrans(b"\n\r\t\b\f", b"nrtbf")
"""Of `\\n` only the letter is left when the backslash is taken away."""

_UNITS = re.compile(rb"u(%b{4})" % _HEX)
_MOST_KNOWN = 20_000


class Legible:
    """Data as it is, and as it reads: `text`, first without fillers, then with its escapes read."""

    def __init__(self, data: bytes) -> None:
        self.data = self.text = data
        self._readings: list[_Reading] = []
        for kinds, meaning in ((_FILLERS, _nothing), (_IN_A_STREAM, _MEANINGS.__getitem__)):
            pieces = _split(self.text, kinds)
            if len(pieces) > 1:
                self._readings.append(_Reading(self.text, pieces, _said(pieces, meaning)))
                self.text = self._readings[-1].text

    def origin(self, start: int, end: int) -> Span:
        """Where in the data a span of the text comes from."""
        for reading in reversed(self._readings):
            start, end = reading.origin(start, end)
        return start, end

    def begun(self, position: int) -> int:
        """Where in the data what begins there in the text begins, or an escape that may go on."""
        for reading in reversed(self._readings):
            position = min(reading.begun(position), reading.unfinished)
        return position

    def otherwise(self, reach: int) -> Iterator[Span]:
        """Where in the data something reads otherwise than it is, and so many bytes around it."""
        if sum(reading.marks for reading in self._readings) * 2 * reach >= len(self.data):
            yield 0, len(self.data)
            return
        start = end = 0
        for first, last in sorted(self._marks()):
            if first - reach > end:
                yield start, end
                start = max(first - reach, 0)
            end = max(end, last + reach)
        yield start, end

    def _marks(self) -> Iterator[Span]:
        if self._readings:
            yield from self._readings[0].spans()
        for reading in self._readings[1:]:
            yield from (self._readings[0].origin(*span) for span in reading.spans())


class _Reading:
    """How data reads of which every other piece means something else, which is what is said."""

    def __init__(self, data: bytes, pieces: list[bytes], said: list[bytes]) -> None:
        self.text = b"".join(said)
        self._size = len(data)
        self._pieces = pieces
        self._said = said
        self._starts: list[int] = []
        self._origins: list[int] = []

    @property
    def marks(self) -> int:
        """How many pieces mean something else."""
        return len(self._pieces) // 2

    def spans(self) -> Iterator[Span]:
        """Where in the data these stand."""
        self._measure()
        return zip(self._origins[1:-1:2], self._origins[2::2], strict=True)

    def _measure(self) -> None:
        if not self._starts:
            self._starts = [0, *accumulate(map(len, self._said))]
            self._origins = [0, *accumulate(map(len, self._pieces))]

    def origin(self, start: int, end: int) -> Span:
        """Where in the data a span of the text comes from."""
        self._measure()
        return self._origin(start)[0], self._origin(end - 1)[1]

    def _origin(self, position: int) -> Span:
        piece = bisect_right(self._starts, position) - 1
        origin = self._origins[piece]
        if piece % 2:
            return origin, self._origins[piece + 1]
        origin += position - self._starts[piece]
        return origin, origin + 1

    def begun(self, position: int) -> int:
        """Where in the data a place of the text comes from; the sooner known the nearer the end."""
        start, origin = len(self.text), self._size
        number = len(self._pieces)
        while position < start:
            number -= 1
            start -= len(self._said[number])
            origin -= len(self._pieces[number])
        return origin if number % 2 else origin + position - start

    @property
    def unfinished(self) -> int:
        """Where in the data an escape begins that ends with it; its size when none does."""
        last = b"" if self._pieces[-1] else self._pieces[-2]
        return self._size - (len(last) if last[:1] in (b"%", b"\\") else 0)


def readings(form: bytes) -> frozenset[bytes]:
    """How a text reads whose letters were written as something else, or not."""
    plain = without_fillers(form)
    read = b"".join(_said(_split(plain, _IN_A_WHOLE), _MEANINGS.__getitem__))
    return frozenset((plain, read, *(text.translate(_LETTERS, b"\\") for text in (plain, read))))


def without_fillers(data: bytes) -> bytes:
    """`data` without what may stand between letters."""
    return b"".join(_split(data, _FILLERS)[::2])


def _split(data: bytes, kinds: Kinds) -> list[bytes]:
    """Data in pieces, every other of which is of one of the kinds."""
    present = tuple(pattern for sign, pattern in kinds if sign in data)
    return _any_of(present).split(data) if present else [data]


@cache
def _any_of(patterns: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """A search for fewer kinds is many times as fast."""
    return re.compile(b"(%b)" % b"|".join(patterns))


def _said(pieces: list[bytes], meaning: Callable[[bytes], bytes]) -> list[bytes]:
    said = pieces.copy()
    said[1::2] = map(meaning, pieces[1::2])
    return said


def _nothing(_filler: bytes) -> bytes:
    return b""


class _Meanings(dict[bytes, bytes]):
    """What stands for something else than itself."""

    def __missing__(self, written: bytes) -> bytes:
        meaning = _meaning(written).translate(_LETTERS, b"\\")
        if len(self) < _MOST_KNOWN:
            self[written] = meaning
        return meaning


def _meaning(written: bytes) -> bytes:
    rest = written.lstrip(b"\\%")
    if units := _UNITS.findall(rest):  # half a character is none yet
        return bytes.fromhex(b"".join(units).decode()).decode("utf-16-be", "ignore").encode()
    if rest.startswith(b"u"):  # the rest is yet to come
        return b""
    if written.startswith(b"%"):
        return bytes.fromhex(rest[-2:].decode()) if len(rest) > 1 else b""
    if rest.startswith(b"x") and len(rest) > len(b"x0"):
        return bytes.fromhex(rest[1:].decode())
    return bytes((int(rest, 8),)) if len(rest) == len(b"000") and rest.isdigit() else b""


_MEANINGS = _Meanings()
