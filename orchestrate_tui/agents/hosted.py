"""Starts processes through a stage host, which outlives this process, and takes them back."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
from binascii import b2a_base64
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import anyio

from orchestrate_tui.agents.contract import Process, Program, Services, TakenOver
from orchestrate_tui.agents.leftovers import KEY_VARIABLE, end_leftovers, is_stopped
from orchestrate_tui.permissions import make_folder
from orchestrate_tui.stagehost.files import SOCKET, short_name
from orchestrate_tui.stagehost.starting import new_host
from orchestrate_tui.stagehost.trees import Tree
from orchestrate_tui.stagehost.wire import Lines, Message, encode

_PIECE = 1 << 18
_BACKLOG = 16
_END_PATIENCE_S = 5.0


class HostLauncher:
    """Starts each program through one stage host, which is started at the latest with the first.

    `folder` is the host's alone. It belongs to one event loop; `close` ends it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._line: HostLine | None = None
        self._host: int | None = None
        self._inherited: dict[str, str] = {}
        self._known: Mapping[str, str] | None = None

    def prepare(self) -> None:
        """Start the host already; see OwnLauncher."""
        with suppress(OSError):
            self._open_line()

    async def start(self, program: Program) -> Process:
        """Start `program`; see Launcher."""
        line = self._open_line()
        try:
            return await line.start(self._request(program))
        except HostLost:  # it may have been started all the same
            with anyio.CancelScope(shield=True):
                await end_leftovers((program.environment.get(KEY_VARIABLE, ""),), program.grace_s)
            raise

    def close(self) -> None:
        """Let the host go; it ends at once unless a program still runs."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._host is not None:
            _wait_for(self._host)
            self._host = None

    def _request(self, program: Program) -> Message:
        environment, without = self._difference(program)
        return {
            "do": "start",
            "id": program.key,
            "argv": program.argv,
            "environment": environment,
            "without": without,
            "workdir": os.fspath(program.workdir),
            "log": os.fspath(program.log_path),
            "secret_forms": b2a_base64(program.secret_forms, newline=False).decode(),
            "timeout_s": program.timeout_s,
            "grace_s": program.grace_s,
            "variable": _own_variable(program),
            "leaves_processes": program.leaves_processes,
        }

    def _difference(self, program: Program) -> tuple[dict[str, str], list[str]]:
        """What a program's environment has beside that of the host, and what it has not."""
        if program.inherited is not self._known:
            if program.inherited != self._inherited:
                whole = {**program.inherited, **program.environment}
                return whole, [name for name in self._inherited if name not in whole]
            self._known = program.inherited
        return dict(program.environment), []

    def _open_line(self) -> HostLine:
        """The line to a host, which is started if there is none. Raises OSError."""
        if self._line is None or not self._line.is_open:
            self._line = self._start_host()
        return self._line

    def _start_host(self) -> HostLine:
        """Start the host, after one that was lost anew. Raises OSError."""
        self.close()
        folder = self._folder.absolute()
        make_folder(folder)
        with socket.socket(socket.AF_UNIX) as listening:
            _listen(listening, folder)
            host = new_host(os.fspath(folder), listening)
        self._host, self._inherited, self._known = host.pid, host.environment, None
        return HostLine.to(folder, host.pid)


def _own_variable(program: Program) -> str:
    """The entry of the environment by which the program's processes are known; "" without one."""
    value = program.environment.get(KEY_VARIABLE)
    return f"{KEY_VARIABLE}={value}" if value else ""


def _listen(listening: socket.socket, folder: Path) -> None:
    (folder / SOCKET).unlink(missing_ok=True)
    with short_name(os.fspath(folder), SOCKET) as path:
        listening.bind(path)
        os.chmod(path, 0o600)  # noqa: PTH101  (before anybody can connect)
    listening.listen(_BACKLOG)


def _wait_for(host: int) -> None:
    """Wait for the host's end; one that still has work is left to itself."""
    with suppress(OSError):
        pidfd = os.pidfd_open(host)
        try:
            ended = select.poll()  # which takes any number of a descriptor
            ended.register(pidfd, select.POLLIN)
            ended.poll(_END_PATIENCE_S * 1000)
        finally:
            os.close(pidfd)
        os.waitpid(host, os.WNOHANG)


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
        """See Process; while we are connected the host leaves time limits to us."""
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
        """Control it no more; see Process."""
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
            self.let_go()
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
