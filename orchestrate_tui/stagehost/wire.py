"""What the executor and its stage host say to each other: one JSON object a line."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

Message: TypeAlias = "dict[str, Any]"
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_from_json = json.JSONDecoder().decode
_UCRED = struct.Struct("iII")  # process, user and group; see unix(7)


def encode(message: Message) -> bytes:
    """A message as a line; names that are not UTF-8 survive as escaped surrogates."""
    return _to_json(message).encode("ascii") + b"\n"


def told_error(error: OSError | ValueError) -> Message:
    """What kept a program from being started."""
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": error.errno, "text": error.strerror, "file": error.filename}
    return {"text": str(error)}


class Lines:
    """Puts messages together from the pieces in which they arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that are complete now. Raises ValueError or TypeError for what is none."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            message = _from_json(line.decode())
            if not isinstance(message, dict):
                raise TypeError("a message is a JSON object")
            yield message


def user_of(connection: socket.socket) -> int:
    """The user at the other end of a connection, as the kernel says."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    user: int = _UCRED.unpack(credentials)[1]
    return user
