"""An executor listens to others and is not harmed by what they send."""

from __future__ import annotations

import grp
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrate_tui.domain.access import Right
from orchestrate_tui.errors import NoRoom, Refused, StoreError, Unrecorded
from orchestrate_tui.executor import conversation, lines
from orchestrate_tui.executor.access import Access
from orchestrate_tui.executor.errands import LONGEST_ERRAND, AnyErrand, Cancel, Done, Resume
from orchestrate_tui.executor.lines import Peer, address_of
from orchestrate_tui.executor.messenger import Messenger
from orchestrate_tui.executor.people import People
from orchestrate_tui.executor.reception import MOST_OF_ONE, Reception
from orchestrate_tui.store import open_database
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.database import StoreFiles

KEY = "0123456789abcdef"
MANY = 3_000_000_000  # more than half of the numbers that users may have
CANCEL = {"ask": "cancel", "key": KEY, "run": 1}


class Desk:
    """Where errands arrive; `doing` is what becomes of one."""

    def __init__(self) -> None:
        self.done: list[tuple[AnyErrand, Peer]] = []
        self.doing: Callable[[], Done] = lambda: Done(answer="done")

    def serve(self, errand: AnyErrand, peer: Peer) -> Done:
        self.done.append((errand, peer))
        return self.doing()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "store.db"
    open_database(path, share_group=grp.getgrgid(os.getgid()).gr_name).close()
    return path


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def door(path: Path, desk: Desk) -> Iterator[Path]:
    """The socket at which it listens."""
    place = StoreFiles(path).socket(7)
    opened = Reception(place, os.getgid(), desk.serve)
    yield place
    opened.close()
    assert not place.exists()


def connected(door: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(30)
    with address_of(door) as address:
        connection.connect(address)
    return connection


def replied(connection: socket.socket) -> dict[str, Any]:
    """The reply; {} when there is none."""
    content = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            content += piece
    reply: dict[str, Any] = json.loads(content) if content else {}
    return reply


def said(door: Path, content: bytes) -> dict[str, Any]:
    with closing(connected(door)) as connection:
        with suppress(ConnectionError):
            connection.sendall(content)
        return replied(connection)


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_with_a_large_number_is_told_from_all_others() -> None:
    os.seteuid(MANY)
    try:
        ours, theirs = socket.socketpair()
    finally:
        os.seteuid(0)
    with ours, theirs:
        assert lines.peer_of(ours) == Peer(uid=MANY, name=str(MANY))


def test_an_errand_is_done_for_the_user_at_the_other_end(door: Path, desk: Desk) -> None:
    done: dict[str, Any] = {"reply": "done", "answer": "done", "plan": None, "protected": []}
    assert said(door, line(**CANCEL)) == done
    ((errand, peer),) = desk.done
    assert (errand, peer) == (Cancel(key=KEY, run=1), Peer(uid=os.getuid(), name=current_user()))


def test_the_socket_is_for_its_owner_and_the_group(door: Path) -> None:
    found = door.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, os.getgid())


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 1000 + b"\n",
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b"{}\n",
        b"null\n",
        line(**(CANCEL | {"ask": "shutdown"})),
        line(**(CANCEL | {"run": 0})),
        line(**(CANCEL | {"run": 2**63})),
        line(**(CANCEL | {"run": "1"})),
        line(**(CANCEL | {"run": 1.5})),
        line(**(CANCEL | {"key": "short"})),
        line(**(CANCEL | {"key": KEY + "\n"})),
        line(**(CANCEL | {"actor": "root"})),
        line(ask="approve", key=KEY, run=1, stage="x" * 5000),
        line(ask="approve", key=KEY, run=1, stage=""),
    ],
)
def test_what_is_no_errand_is_declined_and_done_by_nobody(
    door: Path, desk: Desk, content: bytes
) -> None:
    assert said(door, content)["reply"] == "declined"
    assert desk.done == []


def test_an_errand_that_is_too_long_is_declined(door: Path, desk: Desk) -> None:
    said(door, b"x" * 10_000_000)
    with closing(connected(door)) as connection:
        connection.sendall(b"x" * (LONGEST_ERRAND + 1))
        assert replied(connection)["message"] == "A request is at most 65536 bytes long"
    assert desk.done == []
    assert said(door, line(**CANCEL))["reply"] == "done"


def test_who_says_nothing_and_goes_is_no_trouble(door: Path, desk: Desk) -> None:
    for _ in range(50):
        connected(door).close()
    with closing(connected(door)) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert replied(connection)["reply"] == "declined"
    assert desk.done == []


def test_who_dawdles_is_sent_away(door: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "SPEAKING_TIME_S", 0.2)
    with closing(connected(door)) as slow:
        slow.sendall(b'{"ask"')
        assert said(door, line(**CANCEL))["reply"] == "done"
        assert replied(slow)["message"] == "The request did not arrive in time"
    assert len(desk.done) == 1


def test_one_account_takes_only_so_much_of_the_executor(door: Path, desk: Desk) -> None:
    go = threading.Event()

    def held() -> Done:
        go.wait(30)
        return Done(answer="done")

    desk.doing = held
    crowd = [connected(door) for _ in range(MOST_OF_ONE + 3)]
    for connection in crowd:
        with suppress(ConnectionError):
            connection.sendall(line(**CANCEL))
    messages = [replied(connection)["message"] for connection in crowd[MOST_OF_ONE:]]
    assert messages == ["Too many requests at once"] * 3
    go.set()
    answers = [replied(connection)["reply"] for connection in crowd[:MOST_OF_ONE]]
    assert answers == ["done"] * MOST_OF_ONE
    for connection in crowd:
        connection.close()
    assert said(door, line(**CANCEL))["reply"] == "done"


def test_a_refusal_comes_back_as_it_was(path: Path, door: Path, desk: Desk) -> None:
    del door

    def refuse() -> Done:
        raise Refused("Not now", next_step="Ask tomorrow")

    desk.doing = refuse
    with pytest.raises(Refused, match=r"Not now\. Ask tomorrow"):
        Messenger(path).ask(Cancel(key=KEY, run=1))


def test_a_message_goes_to_an_executor_that_lives(path: Path, door: Path) -> None:
    dead = StoreFiles(path).socket(9)
    lines.listener_at(dead, group_id=os.getgid(), backlog=1).close()
    assert dead.exists()
    assert Messenger(path).ask(Cancel(key=KEY, run=1)) == Done(answer="done")
    dead.unlink()
    assert door.exists()


def test_a_socket_is_there_only_once_its_group_may_connect(tmp_path: Path) -> None:
    folder, no_group = tmp_path / "sockets", 2**40
    folder.mkdir()
    path = folder / "9.sock"
    with pytest.raises(OverflowError):
        lines.listener_at(path, group_id=no_group, backlog=1)
    assert list(folder.iterdir()) == []
    lines.listener_at(path, group_id=os.getgid(), backlog=1).close()
    assert [(one, one.stat().st_mode & 0o777) for one in folder.iterdir()] == [(path, 0o660)]


def test_an_errand_without_an_answer_is_taken_to_another_executor(
    path: Path, desk: Desk, door: Path
) -> None:
    del door
    dying = lines.listener_at(StoreFiles(path).socket(9), group_id=os.getgid(), backlog=1)

    def die() -> None:
        connection, _ = dying.accept()
        connection.recv(65536)
        connection.close()

    thread = threading.Thread(target=die)
    thread.start()
    assert Messenger(path).ask(Cancel(key=KEY, run=1)) == Done(answer="done")
    thread.join()
    dying.close()
    assert len(desk.done) == 1


def test_an_executor_that_is_ending_does_not_answer_for_those_that_go_on(
    path: Path, desk: Desk, door: Path
) -> None:
    del door

    def end() -> Done:
        raise RuntimeError("This portal is not running")

    ending = Desk()
    ending.doing = end
    with closing(Reception(StoreFiles(path).socket(9), os.getgid(), ending.serve)):
        assert Messenger(path).ask(Cancel(key=KEY, run=1)) == Done(answer="done")
        assert (len(ending.done), len(desk.done)) == (1, 1)
        with pytest.raises(Refused, match=r"The executor is ending\. Ask again in a moment"):
            Messenger(path).ask(Resume(key=KEY, run=1))
        desk.doing = end
        with pytest.raises(Refused, match=r"The executor is ending\. Ask again in a moment"):
            Messenger(path).ask(Cancel(key=KEY, run=1))


def test_an_executor_without_room_leaves_it_to_the_one_who_works_on_the_run(
    path: Path, desk: Desk, door: Path
) -> None:
    del door

    def refuse() -> Done:
        raise NoRoom("The database is full")

    def take() -> Done:
        raise Unrecorded("It is done and not recorded", next_step="Free some space")

    full = Desk()
    full.doing, desk.doing = refuse, take
    with (
        closing(Reception(StoreFiles(path).socket(9), None, full.serve)),
        pytest.raises(Unrecorded, match=r"It is done and not recorded\. Free some space"),
    ):
        Messenger(path).ask(Cancel(key=KEY, run=1))
    assert (len(full.done), len(desk.done)) == (1, 1)
    desk.doing = refuse
    with pytest.raises(Refused, match="The database is full"):
        Messenger(path).ask(Cancel(key=KEY, run=1))


def test_without_a_group_the_socket_is_for_its_owner_alone(path: Path, desk: Desk) -> None:
    door = StoreFiles(path).socket(9)
    with closing(Reception(door, None, desk.serve)):
        assert stat.S_IMODE(door.stat().st_mode) == 0o600
        assert Messenger(path).ask(Cancel(key=KEY, run=1)) == Done(answer="done")


def test_where_nobody_listens_that_is_said(path: Path) -> None:
    with pytest.raises(Refused, match=r"No executor of .* listens to other users"):
        Messenger(path).ask(Cancel(key=KEY, run=1))


def test_a_database_deep_in_the_folders_is_reached(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 6) / "store.db"
    open_database(path, share_group=grp.getgrgid(os.getgid()).gr_name).close()
    place = StoreFiles(path).socket(1)
    assert len(str(place)) > 108
    with closing(Reception(place, os.getgid(), desk.serve)):
        assert Messenger(path).ask(Cancel(key=KEY, run=1)) == Done(answer="done")


def test_a_place_that_cannot_be_listened_at_is_a_store_error(tmp_path: Path, desk: Desk) -> None:
    with pytest.raises(StoreError, match="Cannot listen to other accounts"):
        Reception(tmp_path / "missing" / "1.sock", os.getgid(), desk.serve)


def test_who_is_being_served_when_it_closes_gets_the_answer(path: Path, desk: Desk) -> None:
    began, go = threading.Event(), threading.Event()

    def held() -> Done:
        began.set()
        go.wait(30)
        return Done(answer="done")

    desk.doing = held
    door = StoreFiles(path).socket(3)
    opened = Reception(door, os.getgid(), desk.serve)
    with closing(connected(door)) as connection:
        connection.sendall(line(**CANCEL))
        began.wait(30)
        closer = threading.Thread(target=opened.close)
        closer.start()
        go.set()
        closer.join(30)
        assert replied(connection)["answer"] == "done"


def test_closing_waits_for_nobody_who_says_nothing_and_may_be_repeated(
    path: Path, desk: Desk
) -> None:
    door = StoreFiles(path).socket(3)
    opened = Reception(door, os.getgid(), desk.serve)
    silent = connected(door)
    began = time.monotonic()
    opened.close()
    opened.close()
    assert time.monotonic() - began < 2
    silent.close()


def test_rights_are_for_users_groups_and_roles() -> None:
    people = People({"leads": ["daemon"]})
    group = grp.getgrgid(60).gr_name  # of the user games
    access = Access(
        granted={"leads": [Right.APPROVE], f"@{group}": [Right.RUN], "bin": []},
        people=people,
        owner="alice",
    )
    assert access.rights_of("daemon") == {Right.APPROVE, Right.VIEW}
    assert access.rights_of("games") == {Right.RUN, Right.VIEW}
    assert access.rights_of("bin") == access.rights_of("nobody") == set()
    assert access.rights_of("alice") == set(Right)


def test_a_fault_of_the_program_is_told_to_whoever_asked(door: Path, desk: Desk) -> None:
    def fail() -> Done:
        raise KeyError("nothing of this")

    desk.doing = fail
    reply = said(door, line(**CANCEL))
    assert reply["reply"] == "declined"
    assert reply["message"] == "The executor could not do that: KeyError"
    desk.doing = lambda: Done(answer="done")
    assert said(door, line(**CANCEL))["reply"] == "done"
