"""The connections of a stage host: executors of the same user, each of which asks and is told."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable

from orchestrate_tui.stagehost.boot import boot_clock
from orchestrate_tui.stagehost.wire import Lines, Message, encode, user_of

_PIECE = 1 << 18
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 0.1
"""Between two looks for room, where somebody waits who cannot be connected."""


class Client:
    """One connection, what waits to be sent on it, and what came and is not answered yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = Lines()
        self.unanswered = deque[Message]()
        self.waiting = b""
        self.events: int = selectors.EVENT_READ


class Clients:
    """All connections. `answer` is called with each message, `lost` when one is gone for good.

    Where there is no room for one more, who comes waits: `due_s` is when to look again, with
    `hear_waiting`, on the clock of the boot; None while nobody waits.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        answer: Callable[[Client, Message], None],
        lost: Callable[[Client], None],
    ) -> None:
        self._selector = selector
        self._answer = answer
        self._lost = lost
        self._connected: set[Client] = set()
        self._speaking: set[Client] = set()
        self._waited_on: list[socket.socket] = []
        self.due_s: float | None = None

    def __bool__(self) -> bool:
        return bool(self._connected)

    def hear(self, listening: socket.socket) -> None:
        """Let others connect from now on."""
        listening.setblocking(False)
        self._selector.register(
            listening, selectors.EVENT_READ, lambda _events: self._accept(listening)
        )

    def hear_waiting(self, now_s: float) -> None:
        """Let those connect who had to wait, when it is time to look whether there is room."""
        if self.due_s is not None and self.due_s <= now_s:
            self.due_s = None
            while self._waited_on:
                self.hear(self._waited_on.pop())

    def tell(self, client: Client | None, message: Message) -> None:
        """Say something at the end of this round: one answer costs as much as several."""
        if client is not None:
            client.waiting += encode(message)
            self._speaking.add(client)

    def send_all(self) -> None:
        """End a round: send what was said in it."""
        while self._speaking:
            self._send_waiting(self._speaking.pop())

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._let_wait(listening)
            return
        if user_of(connection) != os.geteuid():
            connection.close()
            return
        connection.setblocking(False)
        client = Client(connection)
        self._connected.add(client)
        self._selector.register(
            connection, selectors.EVENT_READ, lambda events: self._attend(client, events)
        )

    def _let_wait(self, listening: socket.socket) -> None:
        self._selector.unregister(listening)
        self._waited_on.append(listening)
        self.due_s = boot_clock() + _PAUSE_S

    def _attend(self, client: Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._send_waiting(client)
        if events & selectors.EVENT_READ:
            self._receive(client)

    def _receive(self, client: Client) -> None:
        try:
            piece = client.connection.recv(_PIECE)
            if not piece:
                raise ConnectionResetError
            client.unanswered.extend(client.lines.feed(piece))
            while client.unanswered:
                self._answer(client, client.unanswered.popleft())
        except BlockingIOError:
            return
        except (OSError, ValueError, KeyError, TypeError):  # gone, or not one of ours
            self._lose(client)

    def _lose(self, client: Client) -> None:
        if client not in self._connected:
            return
        self._connected.remove(client)
        self._speaking.discard(client)
        self._selector.unregister(client.connection)
        client.connection.close()
        self._lost(client)

    def _send_waiting(self, client: Client) -> None:
        try:
            sent = client.connection.send(client.waiting)
            client.waiting = client.waiting[sent:]
        except BlockingIOError:
            pass
        except OSError:  # its end is read next
            client.waiting = b""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waiting else 0)
        if events != client.events:
            client.events = events
            key = self._selector.get_key(client.connection)
            self._selector.modify(client.connection, events, key.data)
