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
from orchestrate_tui.stagehost.starting import new_host
from orchestrate_tui.stagehost.wire import Lines, Message, encode


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


def test_the_ends_of_programs_are_told_while_others_are_started(
    tmp_path: Path, listening: socket.socket
) -> None:
    programs = [_program(str(number), tmp_path) for number in range(40)]
    host = new_host(os.fspath(tmp_path), listening)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(listening.getsockname())
        caller.sendall(b"".join(map(encode, programs)))
        told = _told(caller, ends=len(programs))
    os.waitpid(host.pid, 0)
    last_start = max(at for at, message in enumerate(told) if "started" in message)
    assert any("ended" in message for message in told[:last_start])


def _program(key: str, folder: Path) -> Message:
    return {
        "do": "start",
        "id": key,
        "argv": ["/bin/true"],
        "environment": {},
        "without": [],
        "workdir": os.fspath(folder),
        "log": os.fspath(folder / f"{key}.log"),
        "variable": "",
        "leaves_processes": False,
    }


def _told(caller: socket.socket, *, ends: int) -> list[Message]:
    """What a host says until it has told of so many ends."""
    lines, told = Lines(), list[Message]()
    while sum("ended" in message for message in told) < ends:
        told += lines.feed(caller.recv(1 << 16))
    return told
