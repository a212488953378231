"""A log file read by line numbers, however long it is, while something still writes to it.

Only the number of lines before each block of bytes is kept; a line is found by reading its
block. That is eight bytes of memory for every 64 KiB of log.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from orchestrate_tui.console.log_text import LINE_BYTES, plain_text_of

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 64 * 1024
STEP_BYTES = 256 * BLOCK_BYTES
"""How much is learnt at once, so that a huge log does not hold up the screen."""


class LogFile:
    """The lines of one file, counted from 0; it may grow, and may not exist yet.

    A last line without a newline counts. A file that became shorter or was replaced is read
    again from its start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start_over(None)

    def _start_over(self, identity: tuple[int, int] | None) -> None:
        self._identity = identity
        self._before = array("Q", [0])  # the newlines before each block
        self._newlines = 0
        self._ends_open = False
        self.size_bytes = 0

    @property
    def exists(self) -> bool:
        """Whether there was a file when it was last looked at."""
        return self._identity is not None

    @property
    def line_count(self) -> int:
        """The lines of the part that is known."""
        return self._newlines + self._ends_open

    def catch_up(self, most_bytes: int = STEP_BYTES) -> bool:
        """Learn what was written since, but no more than that; whether anything changed."""
        try:
            status = self.path.stat()
        except OSError:
            existed = self.exists
            self._start_over(None)
            return existed
        identity = (status.st_dev, status.st_ino)
        is_other = identity != self._identity or status.st_size < self.size_bytes
        if is_other:
            self._start_over(identity)
        end = min(status.st_size, self.size_bytes + most_bytes)
        if end > self.size_bytes:
            with self.path.open("rb") as file:
                self._count(file, end)
            return True
        return is_other

    def _count(self, file: BinaryIO, end: int) -> None:
        file.seek(self.size_bytes)
        while self.size_bytes < end:
            room = BLOCK_BYTES - self.size_bytes % BLOCK_BYTES
            data = file.read(min(room, end - self.size_bytes))
            if not data:
                return
            self.size_bytes += len(data)
            self._newlines += data.count(b"\n")
            self._ends_open = not data.endswith(b"\n")
            if self.size_bytes % BLOCK_BYTES == 0:
                self._before.append(self._newlines)

    def lines(self, first: int, count: int) -> list[str]:
        """Up to `count` lines from `first` on, safe to show and without colours."""
        return list(map(plain_text_of, self.raw_lines(first, count)))

    def raw_lines(self, first: int, count: int) -> list[bytes]:
        """The same as they were written, up to `LINE_BYTES` of each."""
        last = min(first + count, self.line_count)
        if first >= last:
            return []
        try:
            with self.path.open("rb") as file:
                return list(self._read(file, first, last))
        except OSError:
            return []

    def _read(self, file: BinaryIO, first: int, last: int) -> Iterator[bytes]:
        file.seek(self._start(file, first))
        for line in range(first, last):
            data = file.readline(LINE_BYTES)
            yield data
            if not data.endswith(b"\n") and line + 1 < last:
                file.seek(self._start(file, line + 1))

    def _start(self, file: BinaryIO, line: int) -> int:
        """The first byte of a line: the one after the newline with that number."""
        if not line:
            return 0
        block = bisect_left(self._before, line) - 1
        file.seek(block * BLOCK_BYTES)
        data = file.read(BLOCK_BYTES)
        end = -1
        for _ in range(line - self._before[block]):
            end = data.index(b"\n", end + 1)
        return block * BLOCK_BYTES + end + 1

    def find(self, text: str, start: int, *, forward: bool = True) -> int | None:
        """The nearest line from `start` on that contains `text` in any case; None without one."""
        wanted = text.casefold()
        step = 500
        while 0 <= start < self.line_count:
            first = start if forward else max(start - step + 1, 0)
            count = step if forward else start - first + 1
            lines = self.lines(first, count)
            found = [number for number, line in enumerate(lines) if wanted in line.casefold()]
            if found:
                return first + (found[0] if forward else found[-1])
            start = first + step if forward else first - 1
        return None
