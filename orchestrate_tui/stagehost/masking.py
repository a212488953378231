"""Finds what is secret in a stream of bytes and puts *** in its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from orchestrate_tui.stagehost.legible import CONTEXT, CONTROL, Legible, readings, without_fillers
from orchestrate_tui.stagehost.searching import WORD, Search, Span

MASK = b"***"
"""What stands for a secret."""

SHORTEST = WORD
"""Bytes; a shorter text cannot be searched for, and would be met everywhere."""

_MOST_FILLERS = 64 * 1024  # bytes that may be held between the letters of what may be a secret

_BEGIN, _END = b"\n", b"\n\n"  # before the first line, and after the last one

_COLOUR = re.compile(CONTROL)

_SIZE_BYTES = 4  # of the length of an encoded form

_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}")
"""What stands for a byte in a URL, or for a character in JSON."""

_DIGITS = re.compile(rb"(?:(?:0[xX])?[0-9A-Fa-f]{2}(?:[ :-]|,[ ]?|\Z)?){4,}")
"""What may be a text in hexadecimal digits, in a row or a list; the shortest secret has eight."""


class Masker:
    """Knows every form of every secret. It keeps nothing of what it masks."""

    def __init__(self, forms: Iterable[bytes]) -> None:
        self.forms = tuple(sorted({form for form in forms if len(form) >= SHORTEST}))
        texts = {text for form in self.forms for text in readings(form) if len(text) >= SHORTEST}
        self._read, self._written = _Texts(texts), _Texts(self.forms)
        self.longest = max(self._read.longest, self._written.longest)

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
        whole = self.spans_in(Legible(_BEGIN + data + _END))
        return [(start - len(_BEGIN), end - len(_BEGIN)) for start, end in whole]

    def spans_in(self, legible: Legible) -> list[Span]:
        """The same for data that was looked at before."""
        if legible.is_plain:
            return _merged(self._read.find(legible.data))
        found = [way.origin(span) for way in legible.ways for span in self._read.find(way.text)]
        for begin, end in legible.otherwise(self.longest):  # where it may read as too much
            spans = self._written.find(legible.data[begin:end])
            found += ((begin + start, begin + stop) for start, stop in spans)
        return _merged(found)

    def unfinished(self, legible: Legible) -> int:
        """Where at the end of the data a secret may have begun; its length when none has."""
        begun = [way.begun(self._read.unfinished(way.text)) for way in legible.ways]
        return min(*begun, self._written.unfinished(legible.data))


class _Texts:
    """Texts to be found.

    The digits of an escape, and those of a text that is nothing else, may be of any case, each by
    itself: all is searched in capitals, and what is found there is compared.
    """

    def __init__(self, texts: Collection[bytes]) -> None:
        self.longest = max(map(len, texts), default=0)
        self._canonical = frozenset(map(_canonical, texts))
        self._search = Search({text.upper() for text in texts})

    def find(self, data: bytes) -> Iterator[Span]:
        """Where one of them stands in the data, in no order."""
        for start, end in self._search.find(data.upper()):
            found = data[start:end]
            if found in self._canonical or _canonical(found) in self._canonical:
                yield start, end

    def unfinished(self, data: bytes) -> int:
        """Where at the end of the data one may have begun; its length when none has."""
        near = max(len(data) - self.longest, 0)
        return near + self._search.unfinished(data[near:].upper())


class MaskedStream:
    """Masks what comes in pieces; only what may be the beginning of a secret waits for more.

    `masker` may be replaced by one that knows more.
    """

    def __init__(self, masker: Masker) -> None:
        self.masker = masker
        self._held, self._before = b"", _BEGIN

    def feed(self, chunk: bytes) -> bytes:
        """What can be shown now that `chunk` has come."""
        legible = Legible(self._before + self._held + chunk)
        begin = len(self._before)
        cut = max(self.masker.unfinished(legible), begin)
        spans = _from(begin, self.masker.spans_in(legible))
        for start, end in spans:
            if start < cut < end:
                cut = start
        self._before = legible.data[max(cut - CONTEXT, 0) : cut]
        self._held = legible.data[cut:]
        if len(self._held) > self.masker.longest + _MOST_FILLERS:
            self._held = without_fillers(self._held)
        return _replaced(legible.data, [span for span in spans if span[1] <= cut], begin, cut)

    def finish(self) -> bytes:
        """What is left when nothing more comes, or not soon."""
        data, begin = self._before + self._held, len(self._before)
        self._held, self._before = b"", data[-CONTEXT:]
        spans = _from(begin, self.masker.spans_in(Legible(data + _END)))
        return _replaced(data, spans, begin, len(data))


def _from(begin: int, spans: Iterable[Span]) -> list[Span]:
    """What of the spans lies from there on."""
    return [(max(start, begin), end) for start, end in spans if end > begin]


def _canonical(form: bytes) -> bytes:
    """The form with those digits as capitals that may be of any case."""
    if _DIGITS.fullmatch(form):
        return form.upper()
    return _ESCAPE.sub(_with_capital_digits, form) if b"%" in form or b"\\u" in form else form


def _with_capital_digits(escape: re.Match[bytes]) -> bytes:
    return escape[0].upper().replace(b"\\U", b"\\u")


def _merged(spans: Iterable[Span]) -> list[Span]:
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
