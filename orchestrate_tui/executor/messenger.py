"""Carries errands to the executors of another account that listen."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrate_tui.errors import Refused, Unconfirmed, Unrecorded
from orchestrate_tui.executor.errands import (
    LONGEST_REPLY,
    AnyErrand,
    Declined,
    Done,
    Resume,
    Start,
    Why,
    line_of,
    reply_of,
)
from orchestrate_tui.executor.lines import address_of, peer_of, read_line, send_line
from orchestrate_tui.store.accounts import current_user, owner_of
from orchestrate_tui.store.database import StoreFiles

LONGEST_WAIT_S = 30.0
"""For one executor to answer; longer than it takes to say that it cannot yet."""

_LONGEST_QUEUE_S = 5.0
_QUEUE_INTERVAL_S = 0.01

_NO_KEY = (Start, Resume)
"""Errands that an executor would do twice when they are sent twice."""


class NobodyListens(Refused):
    """There is no executor that could be asked."""


class _Elsewhere(Refused):
    """An executor cannot do it, because it is ending or has no room; another one may."""


_ERRORS: dict[Why, type[Refused | Unrecorded]] = {
    Why.REFUSED: Refused,
    Why.ELSEWHERE: _Elsewhere,
    Why.UNRECORDED: Unrecorded,
}


class Messenger:
    """Finds an executor of a database that listens, and asks it; any thread may."""

    def __init__(self, path: Path) -> None:
        self._files = StoreFiles(path)

    def ask(self, errand: AnyErrand, *, longest_s: float = math.inf) -> Done:
        """Have an errand done by one of the executors that live; each is waited for so long.

        When an executor ends before it answers, the next one is asked: the errand has a key that
        keeps it from being done twice. Raises Refused with its reason, NobodyListens, or Unrecorded
        when what it does cannot be recorded.
        """
        lost: Refused | None = None
        patience_s = min(longest_s, LONGEST_WAIT_S)
        for path in self._sockets():
            try:
                connection = self._connected(path, patience_s)
            except (ConnectionError, FileNotFoundError):
                continue  # left by an executor that died
            except BlockingIOError:
                lost = self._unanswered()
                continue
            with connection:
                self._check_owner(connection)
                try:
                    return _exchange(connection, errand, patience_s)
                except OSError:
                    lost = self._unanswered()
                except _Elsewhere as elsewhere:
                    lost = elsewhere
            if isinstance(errand, _NO_KEY):
                break
        raise lost or self._nobody_listens()

    def _sockets(self) -> Iterator[Path]:
        """The sockets that are there, of the newest executor first. Raises Refused."""
        try:
            found = list(self._files.sockets.iterdir())
        except FileNotFoundError:
            return iter(())
        except PermissionError as error:
            raise self._not_for_us() from error
        epochs = sorted((int(path.stem) for path in found if path.stem.isdecimal()), reverse=True)
        return (self._files.socket(epoch) for epoch in epochs)

    def _connected(self, path: Path, patience_s: float) -> socket.socket:
        """A connection to the executor that listens at `path`. Raises Refused or OSError."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(patience_s)
            with address_of(path) as address:
                _connect(connection, address, min(patience_s, _LONGEST_QUEUE_S))
        except PermissionError as error:
            connection.close()
            raise self._not_for_us() from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_owner(self, connection: socket.socket) -> None:
        """Raise Refused when another user than the owner of the database listens."""
        listener = peer_of(connection).name
        if listener != self._owner:
            raise Refused(f"{listener} listens where an executor of {self._owner} should")

    @property
    def _owner(self) -> str:
        return owner_of(self._files.database)

    def _not_for_us(self) -> Refused:
        return Refused(
            f"You ({current_user()}) may not ask the executors of {self._files.database}",
            next_step=f"Ask {self._owner} for the membership of the group that shares them",
        )

    def _nobody_listens(self) -> NobodyListens:
        return NobodyListens(
            f"No executor of {self._files.database} listens to other users at present",
            next_step=f"Ask {self._owner} to open a console, with rights for you under 'access'"
            " in their configuration",
        )

    def _unanswered(self) -> Refused:
        return Refused(
            "The executor did not answer",
            next_step="See what became of it with: orchestrate-tui runs",
        )


def _connect(connection: socket.socket, address: str, patience_s: float) -> None:
    """Connect, after a while where many are waiting to. Raises OSError."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return connection.connect(address)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_QUEUE_INTERVAL_S)


def _exchange(connection: socket.socket, errand: AnyErrand, patience_s: float) -> Done:
    """Send the errand and take its reply. Raises OSError when there is none, or the refusal."""
    deadline = time.monotonic() + patience_s
    send_line(connection, line_of(errand), deadline=deadline)
    line = read_line(connection, longest=LONGEST_REPLY, deadline=deadline)
    if not line:
        raise ConnectionResetError
    reply = reply_of(line)
    if isinstance(reply, Declined):
        if reply.protected:
            raise Unconfirmed(
                reply.message, next_step=reply.next_step, environments=reply.protected
            )
        raise _ERRORS[reply.why](reply.message, next_step=reply.next_step)
    return reply
