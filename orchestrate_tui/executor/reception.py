"""Listens, on a Unix socket beside the database, to what other accounts ask of an executor.

It lives in threads of its own and asks the executor as the console does, so that whoever connects
and then dawdles, floods or sends rubbish keeps nobody waiting but themselves.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Event, Lock, Thread

from orchestrate_tui.errors import (
    CannotStart,
    NoRoom,
    OrchestrateError,
    Refused,
    StoreError,
    Unrecorded,
)
from orchestrate_tui.executor.errands import (
    LONGEST_ERRAND,
    AnyErrand,
    Declined,
    Done,
    Reply,
    Why,
    errand_of,
    line_of,
)
from orchestrate_tui.executor.lines import Peer, listener_at, peer_of, read_line, send_line

SPEAKING_TIME_S = 5.0
"""For an errand to arrive, and for its reply to be taken."""

LONGEST_FAREWELL_S = 5.0
"""For answers that are under way when it is closed."""

MOST_PEERS = 16
MOST_OF_ONE = 4
"""Connections at once, of all and of one account."""

_LONGEST_QUEUE = 128

_SHORT_OF_DESCRIPTORS_S = 0.1

Serve = Callable[[AnyErrand, Peer], Done]
"""Does an errand for somebody. Raises OrchestrateError."""


class Reception:
    """Listens until it is closed; without a group to this account alone.

    Raises StoreError when it cannot.
    """

    def __init__(self, path: Path, group_id: int | None, serve: Serve) -> None:
        self._path = path
        self._serve = serve
        try:
            self._listener = listener_at(path, group_id=group_id, backlog=_LONGEST_QUEUE)
        except OSError as error:
            raise StoreError(
                f"Cannot listen to other accounts at {path}: {error}",
                next_step="Check the permissions of the folder",
            ) from error
        self._present: Counter[int] = Counter()
        self._lock = Lock()
        self._serving = 0
        self._served = Condition()
        self._is_closed = Event()
        self._thread = Thread(target=self._listen, name="reception", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer, once those have their answers whose errands have arrived.

        A second call does nothing.
        """
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join()
        self._listener.close()
        with self._served:
            self._served.wait_for(lambda: not self._serving, LONGEST_FAREWELL_S)

    def _listen(self) -> None:
        while not self._is_closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                self._is_closed.wait(_SHORT_OF_DESCRIPTORS_S)
                continue
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        """Serve whoever connected in a thread of their own, unless they have enough of those."""
        try:
            peer = peer_of(connection)
            if self._admits(peer) and self._begins_to_talk(connection, peer):
                return
            connection.settimeout(0)
            busy = Declined(message="Too many requests at once", next_step="Ask again in a moment")
            connection.send(line_of(busy))
        except OSError:
            pass  # they are gone already
        connection.close()

    def _admits(self, peer: Peer) -> bool:
        with self._lock:
            is_free = self._present.total() < MOST_PEERS and self._present[peer.uid] < MOST_OF_ONE
            self._present[peer.uid] += is_free
        return is_free

    def _begins_to_talk(self, connection: socket.socket, peer: Peer) -> bool:
        try:
            Thread(target=self._talk, args=(connection, peer), daemon=True).start()
        except RuntimeError:  # the process may have no more threads
            self._leave(peer)
            return False
        return True

    def _leave(self, peer: Peer) -> None:
        with self._lock:
            self._present[peer.uid] -= 1

    def _talk(self, connection: socket.socket, peer: Peer) -> None:
        try:
            with connection, suppress(OSError):
                try:
                    line = _heard(connection)
                except Refused as refused:
                    _reply(connection, Declined(message=refused.message))
                else:
                    with self._serving_somebody():
                        _reply(connection, self._answer(line, peer))
        finally:
            self._leave(peer)

    @contextmanager
    def _serving_somebody(self) -> Iterator[None]:
        with self._served:
            self._serving += 1
        try:
            yield
        finally:
            with self._served:
                self._serving -= 1
                self._served.notify_all()

    def _answer(self, line: bytes, peer: Peer) -> Reply:
        try:
            return self._serve(errand_of(line), peer)
        except CannotStart as error:
            return Declined(message=str(error))
        except OrchestrateError as error:
            return Declined(message=error.message, next_step=error.next_step, why=_why(error))
        except (CancelledError, RuntimeError):  # the executor's thread has ended meanwhile
            return Declined(
                message="The executor is ending",
                next_step="Ask again in a moment",
                why=Why.ELSEWHERE,
            )


def _why(error: OrchestrateError) -> Why:
    match error:
        case Unrecorded():
            return Why.UNRECORDED
        case NoRoom():  # for whom works on the run it may need none
            return Why.ELSEWHERE
        case _:
            return Why.REFUSED


def _heard(connection: socket.socket) -> bytes:
    """What somebody said. Raises Refused when that is too long or takes too long."""
    deadline = time.monotonic() + SPEAKING_TIME_S
    try:
        return read_line(connection, longest=LONGEST_ERRAND, deadline=deadline)
    except TimeoutError as error:
        raise Refused("The request did not arrive in time") from error


def _reply(connection: socket.socket, reply: Reply) -> None:
    send_line(connection, line_of(reply), deadline=time.monotonic() + SPEAKING_TIME_S)
