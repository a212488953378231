"""A log file read by line numbers, however long it is, while something still writes to it.

Its end is known first, and from there what stands before it, a step at a time. Only the number of
newlines before each block of bytes is kept; a line is found by reading its block. That is eight
bytes of memory for every 64 KiB of log.
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
END_BYTES = 16 * BLOCK_BYTES
"""How much of a long log is learnt at first."""

STEP_BYTES = 256 * BLOCK_BYTES
"""How much is learnt at once, so that a huge log does not hold up the screen."""

UNREADABLE = (OSError, ValueError)
"""What is raised when a file is gone or was cut off since it was last looked at."""


class LogFile:
    """The known lines of one file, counted from 0; it may grow, and may not exist yet.

    While the beginning of a long file is not known its lines are counted from the first known one,
    so that all numbers grow by as many as become known: `prepended` counts those. A last line
    without a newline counts. A file that became shorter or was replaced is read again. `trouble`
    says why it cannot be read although it is there, "" that nothing is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        self._start_over(None, 0)

    def _start_over(self, identity: tuple[int, int] | None, size_bytes: int) -> None:
        self._identity = identity
        self._first_block = max(size_bytes - END_BYTES, 0) // BLOCK_BYTES
        self._before = array("q", [0])  # the newlines before each block, those in front negative
        self._newlines = 0
        self._ends_open = False
        self.size_bytes = self._first_block * BLOCK_BYTES
        self.prepended = 0

    @property
    def exists(self) -> bool:
        """Whether there was a file when it was last looked at."""
        return self._identity is not None

    @property
    def unknown_bytes(self) -> int:
        """How much of the beginning is not known yet."""
        return self._first_block * BLOCK_BYTES

    @property
    def line_count(self) -> int:
        """The lines of the part that is known."""
        return max(self._newlines + self._ends_open - self._newlines_before, 0)

    @property
    def _newlines_before(self) -> int:
        """The newlines before the first known line, which begins after one or with the file."""
        return self._before[0] + bool(self._first_block)

    def catch_up(self, most_bytes: int = STEP_BYTES) -> bool:
        """Learn what was written since and what stands before, but no more; whether that is any."""
        try:
            status = self.path.stat()
        except OSError as error:
            existed = self.exists
            self._start_over(None, 0)
            self.trouble = _told(error)
            return existed
        identity = (status.st_dev, status.st_ino)
        is_other = identity != self._identity or status.st_size < self.size_bytes
        if is_other:
            self._start_over(identity, status.st_size)
        try:
            self.trouble = ""
            return self._learn(status.st_size, most_bytes) or is_other
        except OSError as error:
            self.trouble = _told(error)
            return is_other

    def _learn(self, size_bytes: int, most_bytes: int) -> bool:
        end = min(size_bytes, self.size_bytes + most_bytes)
        if end == self.size_bytes and not self._first_block:
            return False
        with self.path.open("rb", buffering=0) as file:
            if end > self.size_bytes:
                self._count(file, end)
            else:
                self._count_before(file, max(self._first_block - most_bytes // BLOCK_BYTES, 0))
        return True

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

    def _count_before(self, file: BinaryIO, first_block: int) -> None:
        """Learn the blocks from that one to the first known one."""
        file.seek(first_block * BLOCK_BYTES)
        counts = [
            file.read(BLOCK_BYTES).count(b"\n") for _ in range(first_block, self._first_block)
        ]
        before, known = array("q"), self.line_count
        newlines = self._before[0] - sum(counts)
        for count in counts:
            before.append(newlines)
            newlines += count
        self._before = before + self._before
        self._first_block = first_block
        self.prepended += self.line_count - known

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
        except UNREADABLE:
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
        number = line + self._newlines_before
        if number == self._before[0]:  # the first line of the file
            return 0
        block = bisect_left(self._before, number) - 1
        start = (self._first_block + block) * BLOCK_BYTES
        file.seek(start)
        data = file.read(BLOCK_BYTES)
        end = -1
        for _ in range(number - self._before[block]):
            end = data.index(b"\n", end + 1)
        return start + end + 1

    def place(self, line: int) -> int:
        """The first byte of a line; of one before the first known one, the byte before that.

        -1 where nothing can stand.
        """
        if line >= self.line_count:
            return self.size_bytes
        try:
            with self.path.open("rb") as file:
                return self._start(file, line) if line >= 0 else self._start(file, 0) - 1
        except UNREADABLE:
            return -1

    def line_at(self, place: int) -> int | None:
        """The line that begins at a byte; None where that is not known."""
        block = place // BLOCK_BYTES - self._first_block
        if not 0 <= block < len(self._before):
            return None
        try:
            with self.path.open("rb") as file:
                file.seek(place - place % BLOCK_BYTES)
                newlines = file.read(place % BLOCK_BYTES).count(b"\n")
        except OSError:
            return None
        line = self._before[block] + newlines - self._newlines_before
        return line if 0 <= line < self.line_count else None


def _told(error: OSError) -> str:
    is_missing = isinstance(error, FileNotFoundError)
    return "" if is_missing else f"The log cannot be read: {error.strerror}"
