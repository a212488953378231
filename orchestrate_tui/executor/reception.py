"""Listens, on a Unix socket beside the database, to what other accounts ask of an executor.

It lives in threads of its own and asks the executor as the console does, so that whoever connects
and then dawdles, floods or sends rubbish keeps nobody waiting but themselves.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.lines import Peer, listener_at, peer_of

if TYPE_CHECKING:
    from orchestrate_tui.executor.conversation import Serve

LONGEST_FAREWELL_S = 5.0
"""For answers that are under way when it is closed."""

MOST_PEERS = 16
MOST_OF_ONE = 4
"""Connections at once, of all and of one account."""

_LONGEST_QUEUE = 128

_SHORT_OF_DESCRIPTORS_S = 0.1


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
            # loaded by whoever came before them
            from orchestrate_tui.executor.conversation import turn_away  # noqa: PLC0415

            turn_away(connection)
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
                # most receptions have no visitors, and what is said takes long to load
                from orchestrate_tui.executor.conversation import converse  # noqa: PLC0415

                converse(connection, peer, self._serve, self._serving_somebody)
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
