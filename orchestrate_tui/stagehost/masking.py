"""Finds what is secret in a stream of bytes and puts *** in its place.

Also runs as a script, by itself and with the standard library alone: the process that stands
between a stage and its log; see `masked_sink`.

A byte-by-byte search for hundreds of texts would be slow. Instead every text lends one window of
four bytes to a set; the aligned words of the data are looked up in that set all at once, and only
where one of them is met is the text compared.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator

MASK = b"***"
"""What stands for a secret."""

SHORTEST = 4
"""Bytes; a shorter text cannot be searched for, and would be met everywhere."""

_WORD = 4
_ANY_ALIGNMENT = 2 * _WORD - 1  # so long a text has a whole aligned word in it, wherever it stands
_MANY = 60  # forms, above which searching for one after the other takes longer
_MOST_CONTROLS = 64 * 1024  # bytes that may be held between the letters of what may be a secret

_CONTROL = re.compile(rb"\x1b(?:\[[0-?]{0,255}[ -/]{0,9}(?:[@-~]|\Z)|\Z)")
"""What changes how a terminal shows text, such as a colour; its end may be yet to come."""

Span = tuple[int, int]
"""Where something begins, and where it has ended."""


class Masker:
    """Knows every form of every secret. It keeps nothing of what it masks."""

    def __init__(self, forms: Iterable[bytes]) -> None:
        self.forms = tuple(sorted({form for form in forms if len(form) >= SHORTEST}))
        self.longest = max(map(len, self.forms), default=0)
        long = [form for form in self.forms if len(form) >= _ANY_ALIGNMENT]
        short = [form for form in self.forms if len(form) < _ANY_ALIGNMENT]
        self._filters = (
            _Filter((form, at) for form in long for at in _windows(form)),
            _Filter(((form, 0) for form in short), alignments=_WORD),
        )
        self._heads = _Filter(((form, 0) for form in self.forms), alignments=_WORD)
        self._stubs = {form[:size] for form in self.forms for size in range(1, _WORD)}

    def __repr__(self) -> str:
        return f"<Masker of {len(self.forms)} forms>"

    def mask(self, data: bytes) -> bytes:
        """`data` without the secrets that stand in it as a whole."""
        return _replaced(data, self.spans(data))

    def mask_text(self, text: str) -> str:
        """`text` without the secrets that stand in it."""
        return self.mask(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def spans(self, data: bytes) -> list[Span]:
        """Where secrets stand in `data`, in order; those that overlap are one."""
        return self.spans_in(_Views(data))

    def spans_in(self, views: _Views) -> list[Span]:
        """The same for data that was looked at before."""
        found = [*self._find(views.data)]
        if views.plain is not views.data:
            found += (views.origin(*span) for span in self._find(views.plain))
        return _merged(found)

    def unfinished(self, views: _Views) -> int:
        """Where at the end of the data a secret may have begun; its length when none has."""
        at = self._unfinished(views.data)
        if views.plain is not views.data:
            begun = self._unfinished(views.plain)
            if begun < len(views.plain):
                at = min(at, views.origin(begun, begun + 1)[0])
        return at

    def _find(self, data: bytes) -> Iterator[Span]:
        for each in self._filters:
            yield from each.find(data)

    def _unfinished(self, data: bytes) -> int:
        """The first place from which on all of the data is the beginning of a form."""
        first = max(len(data) - self.longest + 1, 0)
        tail = data[first:]
        sizes = range(min(_WORD - 1, len(tail)), 0, -1)
        begun = len(tail) - next((size for size in sizes if tail[-size:] in self._stubs), 0)
        for form in self._heads.suspects(tail):
            start = tail.find(form[:_WORD], 0, begun + _WORD)
            while 0 <= start < begun:
                if len(form) > len(tail) - start and form.startswith(tail[start:]):
                    begun = start
                start = tail.find(form[:_WORD], start + 1, begun + _WORD)
        return first + begun


class MaskedStream:
    """Masks what comes in pieces; only what may be the beginning of a secret waits for more."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What can be shown now that `chunk` has come."""
        views = _Views(self._held + chunk)
        cut = self._masker.unfinished(views)
        spans = self._masker.spans_in(views)
        for start, end in spans:
            if start < cut < end:
                cut = start
        self._held = views.data[cut:]
        if len(self._held) > self._masker.longest + _MOST_CONTROLS:
            self._held = _CONTROL.sub(b"", self._held)
        return _replaced(views.data[:cut], [span for span in spans if span[1] <= cut])

    def finish(self) -> bytes:
        """What is left when nothing more comes."""
        held, self._held = self._held, b""
        return self._masker.mask(held)


class _Views:
    """Data as it is, and as a terminal shows it: `plain` is without control sequences."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.plain = _CONTROL.sub(b"", data) if b"\x1b" in data else data
        self._starts: list[int] = []
        self._origins: list[int] = []

    def origin(self, start: int, end: int) -> Span:
        """Where in the data a span of `plain` comes from."""
        if not self._starts:
            self._map()
        return self._origin(start), self._origin(end - 1) + 1

    def _map(self) -> None:
        at = length = 0
        for control in _CONTROL.finditer(self.data):
            self._starts.append(length)
            self._origins.append(at)
            length += control.start() - at
            at = control.end()
        self._starts.append(length)
        self._origins.append(at)

    def _origin(self, position: int) -> int:
        piece = bisect_right(self._starts, position) - 1
        return self._origins[piece] + position - self._starts[piece]


class _Filter:
    """Notices forms by one of their words, at every alignment of the data or at the first alone."""

    def __init__(self, windows: Iterable[tuple[bytes, int]], *, alignments: int = 1) -> None:
        self._forms: dict[int, list[tuple[bytes, int]]] = {}
        for form, at in windows:
            word = int.from_bytes(form[at : at + _WORD], sys.byteorder)
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
            met.update(self._words.intersection(_words(data, offset)))
        return {form for word in met for form, _ in self._forms[word]}

    def _find_all(self, data: bytes) -> Iterator[Span]:
        """The same as `find`, at a cost that does not grow with the number of suspects."""
        known = self._words
        for offset in self._offsets:
            words = _words(data, offset)
            for place in [place for place, word in enumerate(words) if word in known]:
                for form, at in self._forms[words[place]]:
                    start = offset + place * _WORD - at
                    if start >= 0 and data.startswith(form, start):
                        yield start, start + len(form)


def _words(data: bytes, offset: int = 0) -> memoryview:
    end = offset + max(len(data) - offset, 0) // _WORD * _WORD
    return memoryview(data)[offset:end].cast("I")


def _windows(form: bytes) -> range:
    """Where the words begin by which a form is noticed, one for each alignment.

    They come from its middle: how a secret begins and ends it often shares with harmless text.
    """
    first = (len(form) - _ANY_ALIGNMENT) // 2
    return range(first, first + _WORD)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _replaced(data: bytes, spans: list[Span]) -> bytes:
    """`data` with each span masked; colours that begin or end inside one are kept."""
    if not spans:
        return data
    pieces: list[bytes] = []
    at = 0
    for start, end in spans:
        pieces += (data[at:start], MASK, *_CONTROL.findall(data, start, end))
        at = end
    pieces.append(data[at:])
    return b"".join(pieces)


# The process between a stage and its log

SOURCE, LOG, CONTROL, FORMS = range(4)
"""The descriptors that the process is started with: what the stage writes, the log, a socket
whose other side says when the stage has ended, and a file with the forms."""

_SIZE_BYTES = 4
_LARGEST_READ = 1024 * 1024
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def encode_forms(forms: Iterable[bytes]) -> bytes:
    """The forms as the process reads them."""
    return b"".join(len(form).to_bytes(_SIZE_BYTES, "little") + form for form in forms)


def decode_forms(content: bytes) -> Iterator[bytes]:
    """The forms in what `encode_forms` made."""
    at = 0
    while at < len(content):
        start = at + _SIZE_BYTES
        at = start + int.from_bytes(content[at:start], "little")
        yield content[start:at]


def main() -> None:
    """Copy from the stage to its log until nobody can write any more.

    When the stage has ended, what it wrote is brought to the log and the socket is closed; what
    the stage left running may write for longer.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    with open(FORMS, "rb") as source:
        log = _Log(MaskedStream(Masker(decode_forms(source.read()))))
    poll = select.poll()
    poll.register(SOURCE, select.POLLIN)
    poll.register(CONTROL, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if CONTROL in ready:
            poll.unregister(CONTROL)
            while _holds_something(SOURCE) and log.copy():
                pass
            os.close(CONTROL)
        elif not log.copy():
            return


def _holds_something(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


class _Log:
    """The log of a stage; what finds no room on the disk is lost, and the stage goes on."""

    def __init__(self, stream: MaskedStream) -> None:
        self._stream = stream
        self._lost_bytes = 0

    def copy(self) -> bool:
        """Bring what is there, or comes next, to the log; False at the end of it all."""
        chunk = os.read(SOURCE, _LARGEST_READ)
        self._write(self._stream.feed(chunk) if chunk else self._stream.finish())
        return bool(chunk)

    def _write(self, content: bytes) -> None:
        if content and self._lost_bytes:
            lost = b"\norchestrate-tui: %d bytes of output were lost\n" % self._lost_bytes
            self._lost_bytes = 0 if self._put(lost) == 0 else self._lost_bytes
        self._lost_bytes += self._put(content)

    def _put(self, content: bytes) -> int:
        """Write `content`; how many bytes of it could not be written."""
        while content:
            try:
                content = content[os.write(LOG, content) :]
            except OSError:
                break
        return len(content)


if __name__ == "__main__":
    main()
