"""Who connects to a stage host."""

from __future__ import annotations

import os
import resource
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestrate_tui.stagehost.clients import Client, Clients
from orchestrate_tui.stagehost.wire import Message, encode


class Desk:
    """Where clients are served, as the host does it, round by round."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.heard: list[Message] = []
        self.clients = Clients(self.selector, self._answer, lambda _client: None)

    def _answer(self, client: Client, message: Message) -> None:
        self.heard.append(message)
        self.clients.tell(client, message)

    def serve(self, rounds: int) -> int:
        """Serve so many rounds; in how many there was something to do."""
        busy = 0
        for _ in range(rounds):
            ready = self.selector.select(0)
            busy += bool(ready)
            for key, events in ready:
                key.data(events)
            self.clients.send_all()
        return busy


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    for key in tuple(made.selector.get_map().values()):
        if isinstance(key.fileobj, socket.socket):
            key.fileobj.close()
    made.selector.close()


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(tmp_path / "socket"))
        made.listen()
        yield made


@contextmanager
def no_descriptor_free() -> Iterator[None]:
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, usual[1]))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, usual)
        while True:
            try:
                opened.callback(os.close, os.dup(0))
            except OSError:
                break
        yield


def test_who_comes_when_no_descriptor_is_free_waits_and_keeps_nobody_busy(
    desk: Desk, listening: socket.socket
) -> None:
    desk.clients.hear(listening)
    with socket.socket(socket.AF_UNIX) as caller:
        with no_descriptor_free():
            caller.connect(listening.getsockname())
            assert desk.serve(rounds=100) == 1
        due_s = desk.clients.due_s
        assert due_s is not None
        desk.clients.hear_waiting(due_s - 1)
        assert desk.serve(rounds=2) == 0
        desk.clients.hear_waiting(due_s)
        caller.sendall(encode({"do": "claim"}))
        assert desk.serve(rounds=2) == 2
        assert desk.heard == [{"do": "claim"}]
        assert caller.recv(100) == encode({"do": "claim"})
    assert desk.clients.due_s is None
