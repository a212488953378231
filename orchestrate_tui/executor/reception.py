"""Listens, on a Unix socket beside the database, to what other accounts ask of an executor.

It lives in threads of its own and asks the executor as the console does, so that whoever connects
and then dawdles, floods or sends rubbish keeps nobody waiting but themselves.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from orchestrate_tui.errors import CannotStart, OrchestrateError, StoreError
from orchestrate_tui.executor.errands import (
    LONGEST_ERRAND,
    AnyErrand,
    Declined,
    Done,
    Reply,
    errand_of,
    line_of,
)
from orchestrate_tui.executor.lines import Peer, listener_at, peer_of, read_line, send_line

SPEAKING_TIME_S = 5.0
"""For an errand to arrive, and for its reply to be taken."""

MOST_PEERS = 16
MOST_OF_ONE = 4
"""Connections at once, of all and of one account."""

_LONGEST_QUEUE = 128

_SHORT_OF_DESCRIPTORS_S = 0.1

Serve = Callable[[AnyErrand, Peer], Done]
"""Does an errand for somebody. Raises OrchestrateError."""


class Reception:
    """Listens until it is closed. Raises StoreError when it cannot."""

    def __init__(self, path: Path, group_id: int, serve: Serve) -> None:
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
        self._is_closed = Event()
        self._thread = Thread(target=self._listen, name="reception", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer; who is being served still gets the answer. A second call is nothing."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join()
        self._listener.close()

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
                deadline = time.monotonic() + SPEAKING_TIME_S
                reply = self._answer(connection, peer, deadline)
                deadline = time.monotonic() + SPEAKING_TIME_S
                send_line(connection, line_of(reply), deadline=deadline)
        finally:
            self._leave(peer)

    def _answer(self, connection: socket.socket, peer: Peer, deadline: float) -> Reply:
        try:
            line = read_line(connection, longest=LONGEST_ERRAND, deadline=deadline)
            return self._serve(errand_of(line), peer)
        except TimeoutError:
            return Declined(message="The request did not arrive in time")
        except CannotStart as error:
            return Declined(message=str(error))
        except OrchestrateError as error:
            return Declined(message=error.message, next_step=error.next_step)
        except (CancelledError, RuntimeError):  # the executor's thread has ended meanwhile
            return Declined(message="The executor is ending", next_step="Ask again in a moment")
