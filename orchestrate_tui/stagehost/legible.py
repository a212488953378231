"""What a text says to whoever reads it, whatever stands between its letters or in their place.

Colours and the lines of encoders come between letters; URLs, HTML, JSON, programming languages and
shells write some of them, or all, as something else, and put a backslash before others. Which they
treat so differs from one to the next, and so no list of forms is complete. Other programs print the
number of each, in lines.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, starmap

from orchestrate_tui.stagehost import dumps
from orchestrate_tui.stagehost.searching import Span

CONTEXT = 96
"""How many bytes before it tell what something is: a line of an encoder from any other."""

CONTROL = rb"\x1b(?:\[[0-?]{0,255}[ -/]{0,9}(?:[@-~]|\Z)|\Z)"
"""What changes how a terminal shows text; its end may be yet to come."""

_LINE = rb"[A-Za-z0-9+/_-]{40}"
_HEX = rb"[0-9A-Fa-f]"
_HALF = rb"u[dD][89abAB]%b{2}\\{1,16}" % _HEX  # of a character beyond U+FFFF
_NUMBER = rb"(?:0x)?%(hex)b{2}(?![0-9A-Za-z])|(?:0x?|(?:0x)?%(hex)b{1,2})?\Z" % {b"hex": _HEX}

_FILLERS = (
    (b"\x1b", CONTROL),
    (b"\0", rb"\0\0*"),  # every other byte of UTF-16
    (b"\r", rb"\r(?<=%b\r)(?:\n[ \t]{0,32}|\Z)" % _LINE),
    (b"\n", rb"\n(?<=%b\n)[ \t]{0,32}" % _LINE),
    (
        b"\n",  # of a list of numbers
        rb"\n(?=[ \t]|\Z)(?:(?<=%(hex)b{2}:\n)[ \t]{0,32}"
        rb"|(?:(?<=%(hex)b{2},\n)|(?<=%(hex)b{2}\n))[ \t]{0,31}(?=[ \t](?:%(number)b)|\Z))"
        % {b"hex": _HEX, b"number": _NUMBER},
    ),
    (b"\\", rb"\\(?=[\\rn])(?<=%b\\)\\{0,15}[rn](?:\\{1,16}n)?" % _LINE),
)
"""What may stand between letters, by what it begins with."""

_PERCENT = (
    rb"%%(?:(?:25){0,3}%(hex)b?%(end)b"
    rb"|[013-9A-Fa-f]%(hex)b|2[0-46-9A-Fa-f]|25(?:25){0,2}(?:%(hex)b{2})?|u%(hex)b{4}"
    rb"|u%(hex)b{0,3}%(end)b)"
)
_BACKSLASH = (
    rb"\\(?:(?![\\uUx0-3])"
    rb"|\\{0,15}(?:" + _HALF + rb"(?:u[dD][c-fC-F]%(hex)b{2}|(?:u%(hex)b{0,3})?%(end)b)"
    rb"|u%(hex)b{4}|u\{%(hex)b{1,6}\}|U%(hex)b{8}|x%(hex)b{2}|[0-3][0-7]{2}"
    rb"|(?:u%(hex)b{0,3}|u\{%(hex)b{0,6}|U%(hex)b{0,7}|x%(hex)b?|[0-3][0-7]?)%(end)b)?)"
)
_ENTITY = (
    rb"&(?:amp;){0,3}(?:#(?:[0-9]{1,7}|[xX]%(hex)b{1,6});|[A-Za-z][A-Za-z0-9]{1,31};"
    rb"|(?:#(?:[0-9]{0,7}|[xX]%(hex)b{0,6})|[A-Za-z][A-Za-z0-9]{0,31})?%(end)b)"
)
_ESCAPES = ((b"%", _PERCENT), (b"\\", _BACKSLASH), (b"&", _ENTITY))
"""What letters are written as, by what it begins with; at the end of a stream also a part of it.

What is quoted in what is quoted has many backslashes, its %% are %%25, and its & are &amp;.
"""

_LETTERS = bytes.maketrans(b"\n\r\t\b\f", b"nrtbf")
"""Of `\\n` only the letter is left when the backslash is taken away."""

_UNITS = re.compile(rb"u(%b{4})" % _HEX)
_CODE_POINT = re.compile(rb"u\{(%b+)\}|U(%b{8})" % (_HEX, _HEX))
_MOST_KNOWN = 20_000


class Legible:
    """Data as it is, and as it reads: without fillers and with its escapes read.

    It begins with a new line, or with what stood before it. Where lines look as if they printed
    bytes by number there are several `ways` of reading it, because nobody can tell: as if they did
    not, as if they did, and with the escapes among those bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        start = _Way(data).read(_BEFORE_DUMPS)
        self.ways = [start.read(_AFTER_DUMPS)]
        numbered = start.read((_DUMPS,))
        if numbered is not start:
            self.ways += dict.fromkeys((numbered, numbered.read(_AFTER_DUMPS)))

    @property
    def is_plain(self) -> bool:
        """Whether the data read as what they are."""
        return len(self.ways) == 1 and not self.ways[0].marks

    def otherwise(self, reach: int) -> Iterator[Span]:
        """Where in the data something reads otherwise than it is, and so many bytes around it."""
        ways = dict.fromkeys((self.ways[0], self.ways[-1]))
        if sum(way.marks for way in ways) * 2 * reach >= len(self.data):
            yield 0, len(self.data)
            return
        start = end = 0
        for first, last in sorted(span for way in ways for span in way.spans()):
            if first - reach > end:
                yield start, end
                start = max(first - reach, 0)
            end = max(end, last + reach)
        yield start, end


class _Way:
    """A text, and the readings that made it out of the data, in their order."""

    def __init__(self, text: bytes, *readings: _Reading) -> None:
        self.text = text
        self._readings = readings

    def read(self, layers: Iterable[_Layer]) -> _Way:
        """How the text reads on; itself when there is nothing to be read."""
        way = self
        for layer in layers:
            pieces = layer.split(way.text)
            if len(pieces) > 1:
                reading = _Reading(way.text, pieces, layer)
                way = _Way(reading.text, *way._readings, reading)
        return way

    @property
    def marks(self) -> int:
        """How often something reads otherwise than it is."""
        return sum(reading.marks for reading in self._readings)

    def origin(self, span: Span) -> Span:
        """Where in the data a span of the text comes from."""
        start, end = span
        for reading in reversed(self._readings):
            start, end = reading.origin(start, end)
        return start, end

    def begun(self, position: int) -> int:
        """Where in the data what begins there in the text begins, or what may go on."""
        for reading in reversed(self._readings):
            position = min(reading.begun(position), reading.unfinished)
        return position

    def spans(self) -> Iterator[Span]:
        """Where in the data something reads otherwise than it is."""
        for number, reading in enumerate(self._readings):
            spans = reading.spans()
            for before in reversed(self._readings[:number]):
                spans = starmap(before.origin, spans)
            yield from spans


class _Reading:
    """How data reads of which every other piece means something else, which is what is said.

    `unfinished` is where begins what ends with the data and may go on; their size when nothing may.
    """

    def __init__(self, data: bytes, pieces: list[bytes], layer: _Layer) -> None:
        said = layer.said(pieces)
        self.unfinished = len(data)
        if not pieces[-1] and layer.goes_on(pieces[-2]):  # it says nothing yet
            self.unfinished -= len(pieces[-2])
            said[-2] = b""
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
            written = self._pieces[piece]
            if written.startswith(dumps.SIGN):
                return origin + len(dumps.SIGN), origin + len(dumps.line_of(written))
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


def readings(form: bytes) -> frozenset[bytes]:
    """How a text reads whose letters were written as something else, or not."""
    plain = read = without_fillers(form)
    for layer in _WHOLE_ESCAPES:
        read = b"".join(layer.said(layer.split(read)))
    return frozenset((plain, read, *(text.translate(_LETTERS, b"\\") for text in (plain, read))))


def without_fillers(data: bytes) -> bytes:
    """`data` without what may stand between letters."""
    for layer in _FILLER_LAYERS:
        data = b"".join(layer.split(data)[::2])
    return data


class _Meanings(dict[bytes, bytes]):
    """What stands for something else than itself."""

    def __missing__(self, written: bytes) -> bytes:
        meaning = _meaning(written).translate(_LETTERS, b"\\")
        if len(self) < _MOST_KNOWN:
            self[written] = meaning
        return meaning


def _meaning(written: bytes) -> bytes:
    if written.startswith(b"&"):
        return _entity(re.sub(b"&(?:amp;)+(?=.)", b"&", written))
    rest = written.lstrip(b"\\%")
    if units := _UNITS.findall(rest):  # half a character is none yet
        return bytes.fromhex(b"".join(units).decode()).decode("utf-16-be", "ignore").encode()
    if point := _CODE_POINT.fullmatch(rest):
        return _character(int(point[1] or point[2], 16))
    if rest.startswith((b"u", b"U")):  # the rest is yet to come
        return b""
    if written.startswith(b"%"):
        return bytes.fromhex(rest[-2:].decode()) if len(rest) > 1 else b""
    if rest.startswith(b"x") and len(rest) > len(b"x0"):
        return bytes.fromhex(rest[1:].decode())
    return bytes((int(rest, 8),)) if len(rest) == len(b"000") and rest.isdigit() else b""


def _entity(written: bytes) -> bytes:
    from html import unescape  # noqa: PLC0415  (seldom needed, and knows two thousand names)

    return unescape(written.decode()).encode(errors="ignore")


def _character(number: int) -> bytes:
    return chr(number).encode(errors="ignore") if number <= sys.maxunicode else b""


_MEANINGS = _Meanings()


class _Layer:
    """What is read at one time: only one kind, because a search for several takes far longer.

    `split` cuts data in pieces, every other of which is of this kind. `goes_on` tells of one at the
    end of the data whether it may be the beginning of a longer one.
    """

    def __init__(
        self,
        split: Callable[[bytes], list[bytes]],
        meaning: Callable[[bytes], bytes],
        goes_on: Callable[[bytes], bool],
    ) -> None:
        self.split = split
        self.goes_on = goes_on
        self._meaning = meaning

    def said(self, pieces: list[bytes]) -> list[bytes]:
        """The pieces, those of this kind as what they mean."""
        said = pieces.copy()
        said[1::2] = map(self._meaning, pieces[1::2])
        return said


def _splitter(sign: bytes, pattern: bytes) -> Callable[[bytes], list[bytes]]:
    """What cuts data at what begins with the sign."""
    split = re.compile(b"(%b)" % pattern).split
    return lambda data: split(data) if sign in data else [data]


def _escapes(end: bytes) -> tuple[_Layer, ...]:
    return tuple(
        _Layer(
            _splitter(sign, one % {b"hex": _HEX, b"end": end}),
            _MEANINGS.__getitem__,
            goes_on=lambda _: True,
        )
        for sign, one in _ESCAPES
    )


_FILLER_LAYERS = tuple(
    _Layer(_splitter(sign, one), lambda _: b"", goes_on=lambda piece: piece.startswith(b"\\"))
    for sign, one in _FILLERS
)
_WHOLE_ESCAPES = _escapes(end=rb"(?!)")
_DUMPS = _Layer(dumps.split, dumps.meaning, dumps.goes_on)
_BEFORE_DUMPS = _FILLER_LAYERS[:2]
_AFTER_DUMPS = (*_FILLER_LAYERS[2:], *_escapes(end=rb"\Z"))
"""In the order in which they are read. What takes line ends away would take those before dumps."""
