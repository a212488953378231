"""What is said with whoever asks something of an executor: one errand, and one reply."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager

from orchestrate_tui.errors import (
    CannotStart,
    NoRoom,
    OrchestrateError,
    Refused,
    Unconfirmed,
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
from orchestrate_tui.executor.lines import Peer, read_line, send_line

SPEAKING_TIME_S = 5.0
"""For an errand to arrive, and for its reply to be taken."""

Serve = Callable[[AnyErrand, Peer], Done]
"""Does an errand for somebody. Raises OrchestrateError."""


def converse(
    connection: socket.socket,
    peer: Peer,
    serve: Serve,
    serving: Callable[[], AbstractContextManager[None]],
) -> None:
    """Hear an errand, have it done within `serving`, and reply. Raises OSError."""
    try:
        line = _heard(connection)
    except Refused as refused:
        _reply(connection, Declined(message=refused.message))
    else:
        with serving():
            _reply(connection, _answer(line, peer, serve))


def turn_away(connection: socket.socket) -> None:
    """Say that there are too many, without waiting for anything. Raises OSError."""
    connection.settimeout(0)
    busy = Declined(message="Too many requests at once", next_step="Ask again in a moment")
    connection.send(line_of(busy))


def _heard(connection: socket.socket) -> bytes:
    """What somebody said. Raises Refused when that is too long or takes too long."""
    deadline = time.monotonic() + SPEAKING_TIME_S
    try:
        return read_line(connection, longest=LONGEST_ERRAND, deadline=deadline)
    except TimeoutError as error:
        raise Refused("The request did not arrive in time") from error


def _answer(line: bytes, peer: Peer, serve: Serve) -> Reply:
    try:
        return serve(errand_of(line), peer)
    except CannotStart as error:
        return Declined(message=str(error))
    except OrchestrateError as error:
        protected = error.environments if isinstance(error, Unconfirmed) else ()
        return Declined(
            message=error.message,
            next_step=error.next_step,
            why=_why(error),
            protected=protected,
        )
    except (CancelledError, RuntimeError):  # the executor's thread has ended meanwhile
        return Declined(
            message="The executor is ending",
            next_step="Ask again in a moment",
            why=Why.ELSEWHERE,
        )
    except Exception as error:  # noqa: BLE001  (the edge of the process: whoever asked is told)
        return Declined(message=f"The executor could not do that: {type(error).__name__}")


def _why(error: OrchestrateError) -> Why:
    match error:
        case Unrecorded():
            return Why.UNRECORDED
        case NoRoom():  # for whom works on the run it may need none
            return Why.ELSEWHERE
        case _:
            return Why.REFUSED


def _reply(connection: socket.socket, reply: Reply) -> None:
    send_line(connection, line_of(reply), deadline=time.monotonic() + SPEAKING_TIME_S)
