"""A terminal driver that never makes the console wait for the terminal.

A terminal that stops reading (a closed lid at the other end of SSH, a paused tmux) makes writes
block, and with them the whole event loop. This driver drops frames instead and has everything
drawn anew once the terminal reads again. A terminal that is gone ends the console.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
import termios
from codecs import getincrementaldecoder
from concurrent.futures import wait
from contextlib import suppress
from queue import Empty, Full
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

from orchestrate_tui.console.outgoing import guarded
from orchestrate_tui.console.settling import settled
from orchestrate_tui.console.typed import TypedText, drawn, fitting

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

STOP_S = 1.0
"""How long the end of the console waits for a terminal that does not read."""

KEY_WAIT_S = 0.05
KEY_PATIENCE = 60
"""How often the next key waits that long for the effect of the one before."""

ALTERNATE_SCREEN = "\x1b[?1049h\x1b[?25l"
"""And no cursor."""

UNKNOWN_SIZE = (80, 24)
"""Of what is no terminal, or does not say."""

INPUT_POLL_S = 0.1
READ_BYTES = 4096


class TerminalLost(Message):
    """The terminal is gone: its input ended or it cannot be written to any more."""


class TerminalRecovered(Message):
    """The terminal reads again after frames were dropped."""


class DroppingWriter(WriterThread):
    """Writes in a thread of its own; what does not fit into its queue is dropped."""

    def __init__(
        self, file: IO[str], *, on_lost: Callable[[], None], on_recovered: Callable[[], None]
    ) -> None:
        super().__init__(file)
        self._on_lost = on_lost
        self._on_recovered = on_recovered
        self._dropped = False
        self._is_lost = False

    def write(self, text: str) -> None:
        """Queue `text`, or drop it when the terminal is too slow or gone."""
        if self._is_lost:
            return
        try:
            self._queue.put_nowait(text)
        except Full:
            self._dropped = True

    def make_room(self) -> None:
        """Forget what waits, so that what comes next is written."""
        with suppress(Empty):
            while True:
                self._queue.get_nowait()

    def run(self) -> None:
        """Write until told to stop or until the terminal is gone."""
        while (text := self._queue.get()) is not None:
            try:
                self._write_all(text.encode(errors="replace"))
            except OSError:
                self._is_lost = True
                self.make_room()
                self._on_lost()
                return
            if self._dropped and self._queue.empty():
                self._dropped = False
                self._on_recovered()

    def _write_all(self, data: bytes) -> None:
        # straight to the descriptor: a write that blocks must hold no lock of the file object
        while data:
            data = data[os.write(self.fileno(), data) :]

    def stop(self) -> None:
        """Stop after what is queued; give up on a terminal that does not read."""
        with suppress(Full):
            self._queue.put(None, timeout=STOP_S)
        self.join(STOP_S)


class ConsoleDriver(LinuxDriver):
    """Textual's driver for terminals, without the waiting."""

    _writer_thread: WriterThread | None
    _modes: list[Any] | None = None
    """How the terminal is set while it is ours; None while it is not, or no terminal."""

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        with suppress(termios.error):
            self._modes = termios.tcgetattr(self.fileno)
        if self._writer_thread is None or self._file is None:
            return
        self._writer_thread.stop()
        self._writer_thread = DroppingWriter(
            self._file,
            on_lost=lambda: self.send_message(TerminalLost()),
            on_recovered=lambda: self.send_message(TerminalRecovered()),
        )
        self._writer_thread.start()

    def _get_terminal_size(self) -> tuple[int, int]:
        return drawn(_terminal_size())

    def _sigcont_application(self, *_: Any) -> None:
        """Go on after the process was stopped.

        By Ctrl+Z the terminal was given back first. Whoever else stopped it did not ask; Textual
        would read the keys in a second thread from then on, and wait for one of them at the end.
        """
        if self._modes is None:
            super()._sigcont_application()
        else:
            self._loop.call_soon_threadsafe(self._take_terminal_again)

    def _take_terminal_again(self) -> None:
        """Set the terminal as it was, should somebody have used it meanwhile, and draw anew."""
        if self._modes is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._modes)
            self.write(ALTERNATE_SCREEN)
            self._enable_mouse_support()
            self._enable_bracketed_paste()
            self.send_message(TerminalRecovered())

    def write(self, data: str) -> None:
        """Write what draws the console; see `guarded` for what nobody gets to write."""
        if data := guarded(data):
            super().write(data)

    def stop_application_mode(self) -> None:
        """Give the terminal back; frames that wait are no longer of interest."""
        self._modes = None
        if isinstance(self._writer_thread, DroppingWriter):
            self._writer_thread.make_room()
        super().stop_application_mode()

    def run_input_thread(self) -> None:
        """Turn what is typed into messages; the end of input means the terminal is gone.

        A defect ends the console, as one anywhere else does: it would hear no key any more.
        """
        try:
            self._take_input()
        except Exception as error:  # noqa: BLE001  (the edge of the thread: it is told)
            self._loop.call_soon_threadsafe(self._app.call_later, _raise, error)

    def _take_input(self) -> None:
        parser = TypedText(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(INPUT_POLL_S):
                    data, read_at = self._read(), monotonic()
                    if not data:
                        self.send_message(TerminalLost())
                        return
                    for message in parser.feed(decode(data)):
                        message.time = read_at  # and not when it is handed on
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Pass a message on; after a key wait, in this thread of its own, until it took effect."""
        super().process_message(fitting(message))
        if isinstance(message, Key):
            effect = asyncio.run_coroutine_threadsafe(settled(self._app), self._loop)
            for _ in range(KEY_PATIENCE):
                if self.exit_event.is_set() or wait([effect], KEY_WAIT_S).done:
                    break
            effect.cancel()

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, READ_BYTES)
        except OSError:
            return b""


def _raise(error: Exception) -> None:
    raise error


def _terminal_size() -> tuple[int, int]:
    """Columns and lines, as shutil.get_terminal_size says, which takes long to load.

    A terminal that nobody has told its size says that it has none.
    """
    try:
        size = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else -1)
    except OSError:
        size = os.terminal_size(UNKNOWN_SIZE)
    columns, lines = UNKNOWN_SIZE
    return (
        _named("COLUMNS") or size.columns or columns,
        _named("LINES") or size.lines or lines,
    )


def _named(variable: str) -> int:
    """A length that the environment sets; 0 where it sets none."""
    told = os.environ.get(variable, "")
    return int(told) if told.isdecimal() else 0
