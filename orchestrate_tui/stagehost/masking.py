"""Finds what is secret in a stream of bytes and puts *** in its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from orchestrate_tui.stagehost.searching import WORD, Search, Span

MASK = b"***"
"""What stands for a secret."""

SHORTEST = WORD
"""Bytes; a shorter text cannot be searched for, and would be met everywhere."""

_MOST_FILLERS = 64 * 1024  # bytes that may be held between the letters of what may be a secret

_CONTROL = rb"\x1b(?:\[[0-?]{0,255}[ -/]{0,9}(?:[@-~]|\Z)|\Z)"
_LETTERS = rb"[A-Za-z0-9+/_-]{40}"
_COLOUR = re.compile(_CONTROL)
"""What changes how a terminal shows text; its end may be yet to come."""

_FILLER = re.compile(
    _CONTROL + rb"|\n(?:(?<=" + _LETTERS + rb"\n)|(?<=" + _LETTERS + rb"\r\n))"
    rb"|\r(?=\n|\Z)(?<=" + _LETTERS + rb"\r)"
)
"""What may stand between the letters of a secret: colours, and where encoders begin a new line."""

_CONTEXT = 42  # bytes that tell such a line break from any other

_SIZE_BYTES = 4  # of the length of an encoded form

_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}")
"""What stands for a byte in a URL, or for a character in JSON."""

_DIGITS = re.compile(rb"[0-9A-Fa-f]{8,}")
"""What may be a text in hexadecimal digits: that of the shortest secret has eight."""


class Masker:
    """Knows every form of every secret. It keeps nothing of what it masks.

    The digits of an escape, and those of a text that is nothing else, may be of any case, each by
    itself: all is searched in capitals, and what is found there is compared.
    """

    def __init__(self, forms: Iterable[bytes]) -> None:
        self.forms = tuple(sorted({form for form in forms if len(form) >= SHORTEST}))
        self.longest = max(map(len, self.forms), default=0)
        self._has_lines = any(b"\n" in form or b"\r" in form for form in self.forms)
        self._canonical = frozenset(map(_canonical, self.forms))
        self._search = Search({form.upper() for form in self.forms})

    def __repr__(self) -> str:
        return f"<Masker of {len(self.forms)} forms>"

    def mask(self, data: bytes) -> bytes:
        """`data` without the secrets that stand in it as a whole."""
        return _replaced(data, self.spans(data), 0, len(data))

    def mask_text(self, text: str) -> str:
        """`text` without the secrets that stand in it."""
        return self.mask(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def spans(self, data: bytes) -> list[Span]:
        """Where secrets stand in `data`, in order; those that overlap are one."""
        return self.spans_in(_Views(data))

    def spans_in(self, views: _Views) -> list[Span]:
        """The same for data that was looked at before."""
        found: list[Span] = []
        if views.plain is not views.data:
            found += (views.origin(*span) for span in self._find(views.plain))
        if views.plain is views.data or self._may_hold_filler(views.data):
            found += self._find(views.data)
        return _merged(found)

    def unfinished(self, views: _Views) -> int:
        """Where at the end of the data a secret may have begun; its length when none has."""
        at = self._unfinished(views.data)
        if views.plain is not views.data:
            begun = self._unfinished(views.plain)
            if begun < len(views.plain):
                at = min(at, views.origin(begun, begun + 1)[0])
        return at

    def _may_hold_filler(self, data: bytes) -> bool:
        """Whether a secret may stand in the data that is torn where filler is taken away."""
        return self._has_lines or b"\x1b" in data

    def _find(self, data: bytes) -> Iterator[Span]:
        for start, end in self._search.find(data.upper()):
            found = data[start:end]
            if found in self._canonical or _canonical(found) in self._canonical:
                yield start, end

    def _unfinished(self, data: bytes) -> int:
        near = max(len(data) - self.longest, 0)
        return near + self._search.unfinished(data[near:].upper())


class MaskedStream:
    """Masks what comes in pieces; only what may be the beginning of a secret waits for more."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = self._before = b""

    def feed(self, chunk: bytes) -> bytes:
        """What can be shown now that `chunk` has come."""
        views = _Views(self._before + self._held + chunk)
        begin = len(self._before)
        cut = max(self._masker.unfinished(views), begin)
        spans = [span for span in self._masker.spans_in(views) if span[0] >= begin]
        for start, end in spans:
            if start < cut < end:
                cut = start
        self._before = views.data[max(cut - _CONTEXT, 0) : cut]
        self._held = views.data[cut:]
        if len(self._held) > self._masker.longest + _MOST_FILLERS:
            self._held = _FILLER.sub(b"", self._held)
        return _replaced(views.data, [span for span in spans if span[1] <= cut], begin, cut)

    def finish(self) -> bytes:
        """What is left when nothing more comes."""
        data, begin = self._before + self._held, len(self._before)
        self._held = self._before = b""
        spans = [span for span in self._masker.spans(data) if span[0] >= begin]
        return _replaced(data, spans, begin, len(data))


class _Views:
    """Data as it is, and without what may stand between letters: `plain`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.plain = _FILLER.sub(b"", data) if _FILLER.search(data) else data
        self._starts: list[int] = []
        self._origins: list[int] = []

    def origin(self, start: int, end: int) -> Span:
        """Where in the data a span of `plain` comes from."""
        if not self._starts:
            self._map()
        return self._origin(start), self._origin(end - 1) + 1

    def _map(self) -> None:
        at = length = 0
        for filler in _FILLER.finditer(self.data):
            self._starts.append(length)
            self._origins.append(at)
            length += filler.start() - at
            at = filler.end()
        self._starts.append(length)
        self._origins.append(at)

    def _origin(self, position: int) -> int:
        piece = bisect_right(self._starts, position) - 1
        return self._origins[piece] + position - self._starts[piece]


def _canonical(form: bytes) -> bytes:
    """The form with those digits as capitals that may be of any case."""
    if _DIGITS.fullmatch(form):
        return form.upper()
    return _ESCAPE.sub(_with_capital_digits, form) if b"%" in form or b"\\u" in form else form


def _with_capital_digits(escape: re.Match[bytes]) -> bytes:
    return escape[0].upper().replace(b"\\U", b"\\u")


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _replaced(data: bytes, spans: list[Span], begin: int, end: int) -> bytes:
    """A part of `data` with each span masked; colours that begin or end inside one are kept."""
    pieces: list[bytes] = []
    at = begin
    for first, last in spans:
        pieces += (data[at:first], MASK, *_COLOUR.findall(data, first, last))
        at = last
    pieces.append(data[at:end])
    return b"".join(pieces)


def encode_forms(forms: Iterable[bytes]) -> bytes:
    """The forms as a masking process is given them."""
    return b"".join(len(form).to_bytes(_SIZE_BYTES, "little") + form for form in forms)


def decode_forms(content: bytes) -> Iterator[bytes]:
    """The forms in what `encode_forms` made."""
    at = 0
    while at < len(content):
        start = at + _SIZE_BYTES
        at = start + int.from_bytes(content[at:start], "little")
        yield content[start:at]
