"""Finds what is secret in a stream of bytes and puts *** in its place.

A byte-by-byte search for hundreds of texts would be slow. Instead every text lends some of its
bytes to a set; the aligned words of the data are looked up in that set all at once, and only where
one of them is met is the text compared.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

MASK = b"***"
"""What stands for a secret."""

SHORTEST = 4
"""Bytes; a shorter text cannot be searched for, and would be met everywhere."""

_WORD, _LONG_WORD = 4, 8
_MANY = 60  # forms, above which searching for one after the other takes longer
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

Span = tuple[int, int]
"""Where something begins, and where it has ended."""


class Masker:
    """Knows every form of every secret. It keeps nothing of what it masks."""

    def __init__(self, forms: Iterable[bytes]) -> None:
        self.forms = tuple(sorted({form for form in forms if len(form) >= SHORTEST}))
        self.longest = max(map(len, self.forms), default=0)
        self._has_lines = any(b"\n" in form or b"\r" in form for form in self.forms)
        of_a_word, of_a_long_word = _surely_holds(_WORD), _surely_holds(_LONG_WORD)
        long = [form for form in self.forms if len(form) >= of_a_long_word]
        middling = [form for form in self.forms if of_a_word <= len(form) < of_a_long_word]
        short = [form for form in self.forms if len(form) < of_a_word]
        self._filters = (
            _Filter(long, _LONG_WORD, _in_the_middle),
            _Filter(middling, _WORD, _in_the_middle),
            _Filter(short, _WORD, _at_the_head, alignments=_WORD),
        )
        self._beginnings = _Filter(long, _LONG_WORD, _at_the_beginning)
        self._heads = _Filter(self.forms, _WORD, _at_the_head, alignments=_WORD)
        self._stubs = {form[:size] for form in self.forms for size in range(1, _WORD)}

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
        for each in self._filters:
            yield from each.find(data)

    def _unfinished(self, data: bytes) -> int:
        """The first place from which on all of the data is the beginning of a form."""
        end = len(data)
        sizes = range(min(_WORD - 1, end), 0, -1)
        begun = end - next((size for size in sizes if data[end - size :] in self._stubs), 0)
        near = max(end - _surely_holds(_LONG_WORD), 0)
        for form in self._heads.suspects(data[near:]):
            begun = _first_beginning(form, data, near, begun)
        far = max(end - self.longest + 1, 0)
        for form in self._beginnings.suspects(data[far:]):
            begun = _first_beginning(form, data, far, begun)
        return begun


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


class _Filter:
    """Notices forms by some of their words, looked up among the words of the data.

    `windows` tells where the words of a form begin: one for each alignment that the form may
    have, or one for all where the words of the data are taken at all `alignments`.
    """

    def __init__(
        self, forms: Iterable[bytes], size: int, windows: Windows, *, alignments: int = 1
    ) -> None:
        self._size = size
        self._forms: dict[int, list[tuple[bytes, int]]] = {}
        for form in forms:
            for at in windows(form, size):
                word = int.from_bytes(form[at : at + size], sys.byteorder)
                self._forms.setdefault(word, []).append((form, at))
        self._words = frozenset(self._forms)
        self._offsets = range(alignments if self._words else 0)

    def find(self, data: bytes) -> Iterator[Span]:
        """Where forms stand in the data."""
        suspects = self.suspects(data)
        if len(suspects) > _MANY:
            yield from self._find_all(data)
            return
        for form in suspects:
            start = data.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = data.find(form, start + 1)

    def suspects(self, data: bytes) -> set[bytes]:
        """The forms that were noticed; no others can stand in the data."""
        met: set[int] = set()
        for offset in self._offsets:
            met.update(self._words.intersection(_words(data, offset, self._size)))
        return {form for word in met for form, _ in self._forms[word]}

    def _find_all(self, data: bytes) -> Iterator[Span]:
        """The same as `find`, at a cost that does not grow with the number of suspects."""
        known = self._words
        for offset in self._offsets:
            words = _words(data, offset, self._size)
            for place in [place for place, word in enumerate(words) if word in known]:
                for form, at in self._forms[words[place]]:
                    start = offset + place * self._size - at
                    if start >= 0 and data.startswith(form, start):
                        yield start, start + len(form)


def _words(data: bytes, offset: int, size: int) -> memoryview:
    end = offset + max(len(data) - offset, 0) // size * size
    return memoryview(data)[offset:end].cast("I" if size == _WORD else "Q")


Windows = Callable[[bytes, int], Iterable[int]]


def _surely_holds(size: int) -> int:
    """How long a text must be to have a whole aligned word in it wherever it stands."""
    return 2 * size - 1


def _in_the_middle(form: bytes, size: int) -> Iterable[int]:
    """How a secret begins and ends it often shares with harmless text."""
    first = (len(form) - _surely_holds(size)) // 2
    return range(first, first + size)


def _at_the_beginning(form: bytes, size: int) -> Iterable[int]:
    del form
    return range(size)


def _at_the_head(form: bytes, size: int) -> Iterable[int]:
    del form, size
    return (0,)


def _first_beginning(form: bytes, data: bytes, start: int, before: int) -> int:
    """Where from `start` on the data first ends as the form begins; `before` at the latest."""
    at = data.find(form[:_WORD], start, before + _WORD)
    while 0 <= at < before:
        if len(form) > len(data) - at and form.startswith(data[at:]):
            return at
        at = data.find(form[:_WORD], at + 1, before + _WORD)
    return before


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
