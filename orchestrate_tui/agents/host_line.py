"""What an executor and one of its stage hosts say to each other, and the programs it is about."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import anyio

from orchestrate_tui.agents.contract import Services, TakenOver
from orchestrate_tui.stagehost.files import SOCKET, short_name
from orchestrate_tui.stagehost.trees import Tree, is_stopped
from orchestrate_tui.stagehost.wire import Lines, Message, encode

_PIECE = 1 << 18


class HostLine:
    """A connection to a stage host, and the programs that are controlled on it.

    `host` is its process where that is a child of this one, None otherwise.
    """

    def __init__(self, connection: socket.socket, host: int | None = None) -> None:
        self._connection = connection
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._waiting = b""
        self._is_held_up = self._is_speaking = False
        self._processes: dict[str, HostedProcess] = {}
        self.is_open = True
        self._loop.add_reader(connection, self._receive)

    @classmethod
    def to(cls, folder: Path, host: int | None = None) -> HostLine:
        """Connect to the host of a folder. Raises OSError when there is none."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            with short_name(os.fspath(folder), SOCKET) as path:
                connection.connect(path)
        except OSError:
            connection.close()
            raise
        connection.setblocking(False)
        return cls(connection, host)

    @property
    def under_way(self) -> int:
        """How many programs are controlled on it, of which something is left."""
        return len(self._processes)

    async def start(self, request: Message) -> HostedProcess:
        """Ask for a program and wait until it has been started. Raises OSError or ValueError.

        A cancellation waits for the answer: somebody has to end what was started.
        """
        return await self._ask(request, leaves=request["leaves_processes"])

    async def _ask(self, request: Message, *, leaves: bool) -> HostedProcess:
        process = HostedProcess(self, request["id"], request.get("variable"), leaves=leaves)
        self._processes[process.key] = process
        self.say(request)
        look = self._loop.call_later(_START_S, self.is_held_up_by_others)
        limit = self._loop.call_later(_START_PATIENCE_S, self.close)
        try:
            await process.started()
        except (OSError, ValueError):
            self._processes.pop(process.key, None)
            raise
        finally:
            look.cancel()
            limit.cancel()
        return process

    async def claim(self, key: str, *, leaves_processes: bool) -> HostedProcess:
        """Control a program from now on that another executor started.

        Raises ValueError when it has ended, OSError without a host.
        """
        return await self._ask({"do": "claim", "id": key}, leaves=leaves_processes)

    def say(self, message: Message) -> None:
        """Send a message; those that follow in this round of the event loop go together.

        The host works on the first while the others are made. What is said to a host that is gone
        is lost.
        """
        if not self.is_open:
            return
        self._waiting += encode(message)
        if not self._is_speaking:
            self._is_speaking = True
            self._loop.call_soon(self._end_round)
            self._send()

    def say_at_once(self, message: Message) -> None:
        """Send a message, and what waits, before this returns."""
        self.say(message)
        self._send()

    def is_held_up_by_others(self) -> bool:
        """Whether somebody has stopped the host, or traces it; it is told to go on.

        A stage may do that: they are processes of the same user.
        """
        if self._host is None or not is_stopped(self._host):
            return False
        os.kill(self._host, signal.SIGCONT)
        return True

    def close(self) -> None:
        """Hang up; programs that still run are the host's to supervise."""
        if not self.is_open:
            return
        self.is_open = False
        with suppress(OSError):
            self._connection.send(self._waiting)
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        for process in tuple(self._processes.values()):
            process.note_loss()
        self._processes.clear()

    def _end_round(self) -> None:
        self._is_speaking = False
        self._send()

    def _send(self) -> None:
        if not self.is_open or not self._waiting:
            return
        try:
            sent = self._connection.send(self._waiting)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._waiting = self._waiting[sent:]
        if bool(self._waiting) is self._is_held_up:
            return
        self._is_held_up = not self._is_held_up
        if self._is_held_up:
            self._loop.add_writer(self._connection, self._send)
        else:
            self._loop.remove_writer(self._connection)

    def _receive(self) -> None:
        try:
            piece = self._connection.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.close()
            return
        for message in self._lines.feed(piece):
            process = self._processes.get(message["id"])
            if process is not None and process.note(message):
                del self._processes[process.key]


class HostLost(ConnectionError):
    """The stage host ended before the program did."""


class HostedProcess:
    """A program that a stage host runs; only the launcher's event loop may use it."""

    def __init__(self, line: HostLine, key: str, variable: str | None, *, leaves: bool) -> None:
        self.key = key
        self._variable = variable
        self._line = line
        self._leaves = leaves
        self._tree: Tree | None = None
        self._refusal: OSError | ValueError | None = None
        self._code: int | None = None
        self._ran_s = 0.0
        self.kept: Services = ()
        self._is_left = True
        self._is_taken = False
        # asyncio's own: three of them are made for each stage
        self._started, self._ended, self._emptied = (
            asyncio.Event(),
            asyncio.Event(),
            asyncio.Event(),
        )

    @property
    def pid(self) -> int:
        """The process at the head of the tree."""
        return self._tree.head if self._tree else 0

    @property
    def ran_s(self) -> float:
        """See Process."""
        return self._ran_s

    @property
    def timed_out(self) -> bool:
        """See Process; while we control it the host leaves time limits to us."""
        return False

    def signal_tree(self, signal: int) -> None:
        """Have everything that belongs to the program signalled.

        Without its host, or where others hold that up, we look for it ourselves; what another
        executor took over is not ours.
        """
        if self._is_taken or self._tree is None:
            return
        if self._line.is_open:
            self._line.say_at_once({"do": "signal", "id": self.key, "signal": int(signal)})
        if not self._line.is_open or self._line.is_held_up_by_others():
            self._tree.send(signal)

    def tree_lives(self) -> bool:
        """Whether the head has not ended, or something that it started is left."""
        if self._is_taken or self._tree is None:
            return False
        if self._line.is_open:
            return self._is_left
        return bool(self._tree.members())

    def let_go(self) -> None:
        """Leave it to its host, until somebody claims it; see Process."""
        if not self._is_taken:
            self._line.say_at_once({"do": "let_go", "id": self.key})
            self._note_taken()

    def _note_taken(self) -> None:
        self._is_taken = True
        self._ended.set()
        self._emptied.set()

    async def started(self) -> None:
        """Wait until it has been started, whoever cancels. Raises what kept it from that."""
        try:
            await self._started.wait()
        except asyncio.CancelledError:  # it is raised again where the caller waits next
            with anyio.CancelScope(shield=True):
                await self._started.wait()
        if self._refusal is not None:
            raise self._refusal

    async def wait(self) -> int:
        """Wait for the end of the head; see Process. Raises HostLost or TakenOver."""
        await self._ended.wait()
        if self._code is None:
            raise TakenOver if self._is_taken else HostLost("its stage host is gone")
        return self._code

    async def wait_tree(self) -> None:
        """Wait until nothing of it runs any more."""
        await self._emptied.wait()
        while not self._line.is_open and self.tree_lives():  # noqa: ASYNC110  (nobody tells)
            await anyio.sleep(_LOOK_AGAIN_S)

    def note(self, message: Message) -> bool:
        """Take what the host says; whether it was the last word on this program."""
        if "started" in message:
            variable = os.fsencode(message.get("variable", self._variable) or "")
            self._tree = Tree(
                message["started"], message["mark"], variable=variable, keeps_services=self._leaves
            )
            self._ran_s = message["ran_s"]
            self._started.set()
            return False
        if "refused" in message:
            self._refusal = _refusal(message["refused"])
            self._started.set()
            return True
        if "taken" in message:
            self._note_taken()
            return True
        if "kept" in message:
            self.kept = tuple((pid, name) for pid, name in message["kept"])
        if "ended" in message:
            self._code = message["ended"]
            self._is_left = message["left"]
            self._ended.set()
        if message.get("empty"):
            self._is_left = False
        if not self._is_left:
            self._emptied.set()
        return not self._is_left

    def note_loss(self) -> None:
        """The host says nothing any more."""
        if not self._started.is_set():
            self._refusal = HostLost("its stage host is gone")
        self._started.set()
        self._ended.set()
        self._emptied.set()


_START_S = 0.5
"""After which a host that has not told of a start yet may have been stopped by what it started."""

_START_PATIENCE_S = 60.0
"""How long a host may take to start a program before it counts as lost."""

_LOOK_AGAIN_S = 0.02
"""How often a tree without a host is looked at."""


def _refusal(told: Message) -> OSError | ValueError:
    number = told.get("errno")
    if number is None:
        return ValueError(told["text"])
    return OSError(number, told["text"], told["file"])
