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
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

ROWS, COLUMNS = 24, 80
REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 20.0
DIMMED = "a0a0a0"
"""Ink that is not lighter belongs to a button that is disabled."""


class Terminal:
    """Runs a Python program as the head of a session on a new pseudo-terminal."""

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "PYTHONPATH": str(Path(__file__).parents[2]),
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
        self._stream.feed(data)
        return data

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def until(self, text: str) -> None:
        """Read until the text is on the screen."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} is not in\n{self.text}"
            self.read()

    def until_enabled(self, label: str) -> None:
        """Read until a button is no longer drawn dimmed."""
        deadline = time.monotonic() + PATIENCE_S
        while self._ink(label) <= DIMMED:
            assert time.monotonic() < deadline, f"{label!r} stays dimmed in\n{self.text}"
            self.read()

    def _ink(self, label: str) -> str:
        rows = [row for row, line in enumerate(self._screen.display) if label in line]
        if not rows:
            return ""
        row = rows[-1]
        return self._screen.buffer[row][self._screen.display[row].index(label)].fg

    def ends(self) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running\n{self.text}"
            self.read()
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal; the kernel sends SIGHUP."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
