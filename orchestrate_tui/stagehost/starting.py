"""Starting a stage host: its process first, and what it is to serve when that is known.

A command that is going to start programs begins with it: the host comes up while the rest of the
command is still loading.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress

ORDERS = 3
"""The descriptor on which a host is told, once, what it serves."""

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_MAIN = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); "
    "from orchestrate_tui.stagehost.server import main; main()"
)
_LONGEST_PATH = 4096
_STILL_RUNS = (0, 0)

_SCRUBBED = frozenset({"BASH_ENV", "ENV"})
_SCRUBBED_PREFIXES = ("BASH_FUNC_", "ORCHESTRATE_")


def inherited_environment() -> dict[str, str]:
    """What this process hands on of its own environment.

    What makes shells run something, and what belongs to another stage, is left out.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _SCRUBBED and not name.startswith(_SCRUBBED_PREFIXES)
    }


class NewHost:
    """The process of a host that serves nothing yet, and ends with this one unless it is told to.

    `environment` is what it was started with. Raises OSError when it cannot be started.
    """

    def __init__(self) -> None:
        self.environment = inherited_environment()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.pid = _spawn(theirs.fileno(), self.environment)

    def serve(self, folder: str, listening: socket.socket) -> None:
        """Have it serve an absolute folder on that socket, once. Raises OSError if it is gone."""
        with self._orders:
            socket.send_fds(self._orders, [os.fsencode(folder)], [listening.fileno()])

    def dismiss(self) -> None:
        """It is not needed, or gone: end it, and leave nothing of it behind."""
        self._orders.close()
        with suppress(ChildProcessError):  # where nobody waits for children, none is left
            if os.waitpid(self.pid, os.WNOHANG) == _STILL_RUNS:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)

    def leave(self) -> None:
        """Leave it to a child that was forked since, and without which it ends by itself."""
        self._orders.close()


_ahead: list[NewHost] = []


def start_ahead() -> None:
    """Start a host that the next who needs one is given. What fails now is tried again then."""
    if not _ahead:
        with suppress(OSError):
            _ahead.append(NewHost())


def new_host(folder: str, listening: socket.socket) -> NewHost:
    """A host that serves an absolute folder on that socket, the one that was started ahead if any.

    Raises OSError when none can be started.
    """
    while _ahead:
        host = _ahead.pop()
        try:
            host.serve(folder, listening)
        except OSError:  # it was ended meanwhile
            host.dismiss()
        else:
            return host
    host = NewHost()
    host.serve(folder, listening)
    return host


def dismiss_ahead() -> None:
    """Let the host go that was started ahead, if nobody needed it."""
    while _ahead:
        _ahead.pop().dismiss()


def leave_ahead() -> None:
    """Leave the host that was started ahead to a child that was forked since: it may need it."""
    while _ahead:
        _ahead.pop().leave()


def taken_orders(orders: int) -> tuple[str, socket.socket] | None:
    """For the host: the folder and the socket it is to serve; None when it is not needed.

    It waits until one or the other is known.
    """
    with socket.socket(fileno=orders) as line:
        folder, descriptors, _, _ = socket.recv_fds(line, _LONGEST_PATH, 1)
    if not descriptors:
        return None
    listening = socket.socket(fileno=descriptors[0])
    listening.set_inheritable(False)  # what comes that way is
    return os.fsdecode(folder), listening


def _spawn(orders: int, environment: dict[str, str]) -> int:
    return os.posix_spawn(
        sys.executable,
        (sys.executable, "-I", "-S", "-c", _MAIN),
        environment,
        file_actions=(
            (os.POSIX_SPAWN_DUP2, orders, ORDERS),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM),
    )
