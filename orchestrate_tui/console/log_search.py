"""Searching a log of any length: by its bytes, a window of them at a time.

A line is looked at as it is shown only where the bytes say that it may be the one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import Event
from typing import TYPE_CHECKING

from orchestrate_tui.console.log_text import LINE_BYTES, plain_text_of
from orchestrate_tui.console.sgr import SGR

if TYPE_CHECKING:
    from pathlib import Path

WINDOW_BYTES = 1024 * 1024
_SGR = re.compile(SGR.pattern.encode())
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
"""What is shown as it is written."""


class LogSearch:
    """Finds the line in a file that contains a text in any case; made to run in a thread.

    `place` is where the search begins, `end` where the known file ends. `stop` ends it early.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._wanted = text.casefold()
        self._stopped = Event()

    def stop(self) -> None:
        """Have the search end soon, without a result."""
        self._stopped.set()

    def find(self, place: int, end: int, *, forward: bool) -> int | None:
        """Where the nearest such line begins, from `place` on; None without one."""
        windows = _windows(place, end) if forward else _windows_before(place + 1)
        try:
            with self._path.open("rb", buffering=0) as file:
                for first, last in windows:
                    if self._stopped.is_set():
                        return None
                    file.seek(max(first - 1, 0))
                    data = file.read(last + LINE_BYTES - max(first - 1, 0))
                    found = self._in_window(data, first, last, forward=forward)
                    if found is not None:
                        return found
        except OSError:
            return None
        return None

    def _in_window(self, data: bytes, first: int, last: int, *, forward: bool) -> int | None:
        """Look at the lines that begin in a window; `data` is what begins a byte before it."""
        start = max(first - 1, 0)
        begin = 0 if not first else data.find(b"\n") + 1
        if (first and not begin) or start + begin >= last:
            return None
        end = data.find(b"\n", last - start - 1)
        lines = data[begin : end if end >= 0 else len(data)]
        if not self._may_be_in(lines):
            return None
        found = self._exactly_in(lines, last - start - begin)
        place = next(found, None) if forward else max(found, default=None)
        return None if place is None else start + begin + place

    def _may_be_in(self, lines: bytes) -> bool:
        text = lines.replace(b"\r\n", b"\n")
        if b"\x1b" in text:
            text = _SGR.sub(b"", text)
        if self._wanted.isascii() and self._wanted.encode() in text.lower():
            return True
        if not text.translate(None, _PLAIN):
            return False
        odd = (line for line in text.split(b"\n") if line.translate(None, _PLAIN))
        return any(map(self._is_in, odd))

    def _exactly_in(self, lines: bytes, room: int) -> Iterator[int]:
        """Where those lines begin that contain it, of the ones that begin before `room`."""
        place = 0
        for line in lines.split(b"\n"):
            if place < room and self._is_in(line):
                yield place
            place += len(line) + 1

    def _is_in(self, line: bytes) -> bool:
        return self._wanted in plain_text_of(line[:LINE_BYTES]).casefold()


def _windows(place: int, end: int) -> Iterator[tuple[int, int]]:
    for first in range(place, end, WINDOW_BYTES):
        yield first, min(first + WINDOW_BYTES, end)


def _windows_before(end: int) -> Iterator[tuple[int, int]]:
    for last in range(end, 0, -WINDOW_BYTES):
        yield max(last - WINDOW_BYTES, 0), last
