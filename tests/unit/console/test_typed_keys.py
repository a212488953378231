from __future__ import annotations

import os
import threading

from textual.events import Key
from textual.message import Message

from orchestrate_tui.console.driver import ConsoleDriver, TerminalLost


class Typing(ConsoleDriver):
    """Reads from a pipe instead of a terminal, and collects what that becomes."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno
        self._debug = False
        self.exit_event = threading.Event()
        self.found: list[Message] = []

    def process_message(self, message: Message) -> None:
        self.found.append(message)

    def send_message(self, message: Message) -> None:
        self.found.append(message)


def test_keys_of_one_burst_were_typed_at_one_time_whenever_they_are_handed_on() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"R\rwhy\r")
    os.close(writing)
    driver = Typing(reading)
    driver.run_input_thread()
    os.close(reading)
    *keys, end = driver.found
    assert isinstance(end, TerminalLost)
    assert [key.key for key in keys if isinstance(key, Key)] == ["R", "enter", *"why", "enter"]
    assert len({key.time for key in keys}) == 1
