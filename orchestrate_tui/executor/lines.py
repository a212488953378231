"""Lines over a Unix socket, and who is at its other end.

Socket addresses are at most 108 bytes long, so the folder is opened and the socket named by its
descriptor.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrate_tui.errors import Refused
from orchestrate_tui.stagehost.wire import user_of
from orchestrate_tui.store.accounts import name_of
from orchestrate_tui.values import dataclass

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who connected, as the kernel says; `name` is the number of a user without a name."""

    uid: int
    name: str


def peer_of(connection: socket.socket) -> Peer:
    """The user at the other end, at the moment of connecting."""
    uid = user_of(connection)
    return Peer(uid=uid, name=name_of(uid))


def read_line(connection: socket.socket, *, longest: int, deadline: float) -> bytes:
    """One line without its end; b"" when the other side says nothing and goes.

    `deadline` is by the monotonic clock. Raises Refused for a line that is longer, TimeoutError.
    """
    content = bytearray()
    while not content.endswith(b"\n"):
        _wait_no_longer_than(connection, deadline)
        piece = connection.recv(min(_PIECE, longest + 1 - len(content)))
        if not piece:
            break
        content += piece
        if len(content) > longest:
            raise Refused(f"A request is at most {longest} bytes long")
    return bytes(content).partition(b"\n")[0]


def send_line(connection: socket.socket, line: bytes, *, deadline: float) -> None:
    """Send a line. Raises TimeoutError when the other side does not take it in time."""
    _wait_no_longer_than(connection, deadline)
    connection.sendall(line)


def _wait_no_longer_than(connection: socket.socket, deadline: float) -> None:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """A name of the socket that is short enough, for the block. Raises OSError."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listener_at(path: Path, *, group_id: int | None, backlog: int) -> socket.socket:
    """A socket at `path` to which its owner and a group, if any, may connect. Raises OSError.

    It is there only when they may: nobody who comes early is told that they may not.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unready = path.with_name(f".{path.name}")
    try:
        unready.unlink(missing_ok=True)
        with address_of(unready) as address:
            listener.bind(address)
        if group_id is None:
            unready.chmod(0o600)
        else:
            os.chown(unready, -1, group_id)
            unready.chmod(0o660)
        listener.listen(backlog)
        unready.replace(path)
    except BaseException:
        listener.close()
        unready.unlink(missing_ok=True)
        raise
    return listener
