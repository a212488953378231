"""Searches data for many texts at once, and notices where one of them may have begun at the end.

A byte-by-byte search for hundreds of texts would be slow. Instead every text lends some of its
bytes to a set; the aligned words of the data are looked up in that set all at once, and only where
one of them is met is the text compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import compress

WORD = 4
"""Bytes; a shorter text cannot be searched for."""

_LONG_WORD = 8
_MANY = 60  # texts, above which searching for one after the other takes longer

Span = tuple[int, int]
"""Where something begins, and where it has ended."""


class Search:
    """A search for texts of at least WORD bytes."""

    def __init__(self, texts: Collection[bytes]) -> None:
        self._longest = max(map(len, texts), default=0)
        of_a_word, of_a_long_word = _surely_holds(WORD), _surely_holds(_LONG_WORD)
        long = [text for text in texts if len(text) >= of_a_long_word]
        middling = [text for text in texts if of_a_word <= len(text) < of_a_long_word]
        short = [text for text in texts if len(text) < of_a_word]
        self._filters = (
            _Filter(long, _LONG_WORD, _in_the_middle),
            _Filter(middling, WORD, _in_the_middle),
            _Filter(short, WORD, _at_the_head, alignments=WORD),
        )
        self._beginnings = _Filter(long, _LONG_WORD, _at_the_beginning)
        self._heads = _Filter(texts, WORD, _at_the_head, alignments=WORD)
        self._stubs = {text[:size] for text in texts for size in range(1, WORD)}

    def find(self, data: bytes) -> Iterator[Span]:
        """Where one of the texts stands in the data, in no order."""
        for each in self._filters:
            yield from each.find(data)

    def unfinished(self, data: bytes) -> int:
        """The first place from which on all of the data is the beginning of a text."""
        end = len(data)
        sizes = range(min(WORD - 1, end), 0, -1)
        begun = end - next((size for size in sizes if data[end - size :] in self._stubs), 0)
        near = max(end - _surely_holds(_LONG_WORD), 0)
        for text in self._heads.suspects(data[near:]):
            begun = _first_beginning(text, data, near, begun)
        far = max(end - self._longest + 1, 0)
        for text in self._beginnings.suspects(data[far:]):
            begun = _first_beginning(text, data, far, begun)
        return begun


class _Filter:
    """Notices texts by some of their words, looked up among the words of the data.

    `windows` tells where the words of a text begin: one for each alignment that the text may
    have, or one for all where the words of the data are taken at all `alignments`.
    """

    def __init__(
        self, texts: Iterable[bytes], size: int, windows: Windows, *, alignments: int = 1
    ) -> None:
        self._size = size
        self._texts: dict[int, list[tuple[bytes, int]]] = {}
        for text in texts:
            for at in windows(text, size):
                word = int.from_bytes(text[at : at + size], sys.byteorder)
                self._texts.setdefault(word, []).append((text, at))
        self._words = frozenset(self._texts)
        self._offsets = range(alignments if self._words else 0)

    def find(self, data: bytes) -> Iterator[Span]:
        """Where texts stand in the data."""
        met = self._met(data)
        suspects = self._lenders(met)
        if len(suspects) > _MANY:
            yield from self._find_all(data, met)
            return
        for text in suspects:
            start = data.find(text)
            while start >= 0:
                yield start, start + len(text)
                start = data.find(text, start + 1)

    def suspects(self, data: bytes) -> set[bytes]:
        """The texts that were noticed; no others can stand in the data."""
        return self._lenders(self._met(data))

    def _met(self, data: bytes) -> set[int]:
        met: set[int] = set()
        for offset in self._offsets:
            met.update(self._words.intersection(_words(data, offset, self._size)))
        return met

    def _lenders(self, words: Iterable[int]) -> set[bytes]:
        return {text for word in words for text, _ in self._texts[word]}

    def _find_all(self, data: bytes, met: set[int]) -> Iterator[Span]:
        """The same as `find`, at a cost that does not grow with the number of suspects."""
        for offset in self._offsets:
            words = _words(data, offset, self._size)
            for place in compress(range(len(words)), map(met.__contains__, words)):
                for text, at in self._texts[words[place]]:
                    start = offset + place * self._size - at
                    if start >= 0 and data.startswith(text, start):
                        yield start, start + len(text)


def _words(data: bytes, offset: int, size: int) -> memoryview:
    end = offset + max(len(data) - offset, 0) // size * size
    return memoryview(data)[offset:end].cast("I" if size == WORD else "Q")


Windows = Callable[[bytes, int], Iterable[int]]


def _surely_holds(size: int) -> int:
    """How long a text must be to have a whole aligned word in it wherever it stands."""
    return 2 * size - 1


def _in_the_middle(text: bytes, size: int) -> Iterable[int]:
    """How a text begins and ends it often shares with harmless text."""
    first = (len(text) - _surely_holds(size)) // 2
    return range(first, first + size)


def _at_the_beginning(text: bytes, size: int) -> Iterable[int]:
    del text
    return range(size)


def _at_the_head(text: bytes, size: int) -> Iterable[int]:
    del text, size
    return (0,)


def _first_beginning(text: bytes, data: bytes, start: int, before: int) -> int:
    """Where from `start` on the data first ends as the text begins; `before` at the latest."""
    at = data.find(text[:WORD], start, before + WORD)
    while 0 <= at < before:
        if len(text) > len(data) - at and text.startswith(data[at:]):
            return at
        at = data.find(text[:WORD], at + 1, before + WORD)
    return before
