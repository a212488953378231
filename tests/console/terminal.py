"""A program in a terminal of its own, which a test can read, type into, leave unread or hang up."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import pyte

ROWS, COLUMNS = 24, 80
REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 60.0
DIMMED = "a0a0a0"
"""Ink that is not lighter belongs to a button that is disabled."""


class Terminal:
    """Runs a program, Python unless told, as the head of a session on a new pseudo-terminal."""

    rows: ClassVar = ROWS
    columns: ClassVar = COLUMNS
    patience_s: ClassVar = PATIENCE_S

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        program: str = sys.executable,
        **environment: str,
    ) -> None:
        self._screen = pyte.Screen(self.columns, self.rows)
        self._stream = pyte.ByteStream(self._screen)
        self._end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        self.process = subprocess.Popen(
            [program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "PYTHONPATH": str(REPOSITORY),
                **environment,
            },
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  (there are no threads here)
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def type_slowly(self, keys: str) -> None:
        """Type so that each key is drawn by itself."""
        for key in keys:
            self.type(key)
            time.sleep(0.03)

    def read(self, timeout_s: float = 0.1) -> bytes:
        """What was written in that time, also shown on the screen."""
        if self._end < 0 or not select.select([self._end], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._end, 65536)
        except OSError:
            return b""
        self._show(data)
        return data

    def _show(self, data: bytes) -> None:
        self._stream.feed(data)

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    @property
    def _lines(self) -> list[str]:
        """The rows as they are; pyte's own `display` fails on half of an overwritten wide sign."""
        rows, cells = self._screen.buffer, range(self.columns)
        return ["".join(rows[y][x].data for x in cells) for y in range(self.rows)]

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Read until it holds."""
        deadline = time.monotonic() + self.patience_s
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain at\n{self.text}"
            self.read()

    def until(self, text: str) -> None:
        """Read until the text is on the screen."""
        self.wait_for(lambda: text in self.text)

    def until_enabled(self, label: str) -> None:
        """Read until a button is no longer drawn dimmed."""
        self.wait_for(lambda: self._ink(label) > DIMMED)

    def _ink(self, label: str) -> str:
        rows = [row for row, line in enumerate(self._lines) if label in line]
        if not rows:
            return ""
        row = rows[-1]
        return self._screen.buffer[row][self._lines[row].index(label)].fg

    def inks(self) -> set[str]:
        """The colours on the screen, of texts and of what is behind them."""
        cells = [cell for row in self._screen.buffer.values() for cell in row.values()]
        return {cell.fg for cell in cells} | {cell.bg for cell in cells}

    def reversed_text(self) -> str:
        """What is shown reversed; everything else is blank."""
        return "\n".join(
            "".join(row[x].data if row[x].reverse else " " for x in range(COLUMNS))
            for _, row in sorted(self._screen.buffer.items())
        )

    def ends(self) -> int:
        """Read until the program has ended; its exit code."""
        self.wait_for(lambda: self.process.poll() is not None)
        return self.process.wait()

    def hang_up(self) -> None:
        """Close the terminal; the kernel sends SIGHUP."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
