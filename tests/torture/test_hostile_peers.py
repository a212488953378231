"""Accounts that may talk to an executor send rubbish, floods or nothing; others are heard."""

from __future__ import annotations

import grp
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from orchestrate_tui.errors import Refused
from orchestrate_tui.executor import conversation, reception
from orchestrate_tui.executor.errands import AnyErrand, Cancel, Done, errand_of, line_of
from orchestrate_tui.executor.lines import Peer, address_of, listener_at
from orchestrate_tui.executor.messenger import Messenger
from orchestrate_tui.executor.reception import Reception
from orchestrate_tui.store import open_database
from orchestrate_tui.store.database import StoreFiles
from tests.torture.conftest import Amount, Figure

KEY = "0123456789abcdef"
PATIENCE_S = 5.0
CROWD = 8

Attack = Callable[[socket.socket, random.Random], None]


def rubbish(connection: socket.socket, rng: random.Random) -> None:
    connection.sendall(rng.randbytes(rng.randint(1, 5_000)) + b"\n")
    connection.recv(4096)


def flood(connection: socket.socket, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 200)):
        connection.sendall(b"x" * 65_536)


def half_a_line(connection: socket.socket, rng: random.Random) -> None:
    line = line_of(Cancel(key=KEY, run=1))
    connection.sendall(line[: rng.randint(1, len(line) - 2)])
    connection.recv(4096)


def silence(connection: socket.socket, rng: random.Random) -> None:
    del rng
    connection.recv(4096)


def drops(connection: socket.socket, rng: random.Random) -> None:
    for byte in line_of(Cancel(key=KEY, run=rng.randint(1, 9))):
        connection.sendall(bytes([byte]))
        time.sleep(0.01)


def deaf(connection: socket.socket, rng: random.Random) -> None:
    del rng
    connection.sendall(line_of(Cancel(key=KEY, run=1)))
    time.sleep(0.2)


def nested(connection: socket.socket, rng: random.Random) -> None:
    connection.sendall(b'{"ask":' * rng.randint(100, 9_000) + b"\n")
    connection.recv(4096)


ATTACKS: tuple[Attack, ...] = (rubbish, flood, half_a_line, silence, drops, deaf, nested)


class NaiveReception:
    """Serves one after the other, and waits for what each of them says."""

    def __init__(self, path: Path, serve: Callable[[AnyErrand, Peer], Done]) -> None:
        self._listener = listener_at(path, group_id=os.getgid(), backlog=128)
        self._serve = serve
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError, Refused), connection.makefile("rb") as lines:
                reply = self._serve(errand_of(lines.readline()), Peer(uid=0, name="root"))
                connection.sendall(line_of(reply))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    open_database(path, share_group=grp.getgrgid(os.getgid()).gr_name).close()
    return path


def serve(errand: AnyErrand, peer: Peer) -> Done:
    del errand, peer
    return Done(answer="done")


@contextmanager
def crowd(door: Path, seed: float) -> Iterator[None]:
    """Attackers who come again and again, for the block."""
    is_over = threading.Event()

    def attack(number: int) -> None:
        rng = random.Random(f"{seed} {number}")
        while not is_over.is_set():
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with closing(connection), suppress(OSError):
                connection.settimeout(PATIENCE_S)
                with address_of(door) as address:
                    connection.connect(address)
                rng.choice(ATTACKS)(connection, rng)

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(CROWD)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def heard(path: Path, times: int) -> tuple[int, float]:
    """How many of so many honest errands were done, and how long the slowest took."""
    done, slowest_s = 0, 0.0
    for _ in range(times):
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            with suppress(Refused):
                done += Messenger(path).ask(Cancel(key=KEY, run=1)).answer == "done"
                break
        slowest_s = max(slowest_s, time.monotonic() - began)
    return done, slowest_s


@pytest.mark.attack("hostile peers")
def test_an_honest_errand_is_done_whatever_others_send(
    path: Path, rng: random.Random, amount: Amount, figure: Figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "SPEAKING_TIME_S", 0.3)
    monkeypatch.setattr(reception, "MOST_OF_ONE", CROWD + 2)  # they are one account here
    door, times = StoreFiles(path).socket(1), amount(short=30, long=3_000)
    with closing(Reception(door, os.getgid(), serve)), crowd(door, rng.random()):
        done, slowest_s = heard(path, times)
    figure("honest errands done among hostile peers", f"{done:,} of {times:,}")
    figure("slowest honest errand", f"{slowest_s:.2f} s")
    assert done == times
    assert slowest_s < PATIENCE_S


@pytest.mark.control("hostile peers")
def test_who_is_served_one_after_the_other_waits_for_those_who_say_nothing(
    path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrate_tui.executor.messenger.LONGEST_WAIT_S", 1.0)
    door = StoreFiles(path).socket(1)
    with closing(NaiveReception(door, serve)), crowd(door, rng.random()):
        done, slowest_s = heard(path, 3)
    assert done < 3 or slowest_s > 1.0
