"""Starts processes through stage hosts, which outlive this process, and takes them back."""

from __future__ import annotations

import os
import select
import socket
from binascii import b2a_base64
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

import anyio

from orchestrate_tui.agents.contract import Process, Program
from orchestrate_tui.agents.host_line import HostLine, HostLost
from orchestrate_tui.agents.leftovers import KEY_VARIABLE, end_leftovers
from orchestrate_tui.permissions import make_folder
from orchestrate_tui.stagehost.files import SOCKET, short_name
from orchestrate_tui.stagehost.starting import new_host
from orchestrate_tui.stagehost.wire import Message

MOST_HOSTS = 8
"""So many runs at once have a host of their own; where there are more, they share."""

_BACKLOG = 16
_END_PATIENCE_S = 5.0


class HostLauncher:
    """Starts programs through stage hosts, one for each run that has programs under way.

    What hides where it comes from is the host's that inherits it, and so that run's. Programs that
    may leave services have a host beside these, for all runs: what hides there may be a service.
    Hosts are started when they are needed, and used again, but one that was lost: it may hang, and
    keep its folder. `folder` is that of the first; those of the others are beside it. It belongs to
    one event loop; `close` ends it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hosts: list[OwnHost] = []
        self._last_number = 0
        self._for_services: OwnHost | None = None
        self._lost: list[OwnHost] = []

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of its hosts, in the order in which they were needed first."""
        return tuple(one.pid for one in self._all())

    def prepare(self) -> None:
        """Start a host already, unless one has nothing to do; see OwnLauncher."""
        with suppress(OSError):
            (self._vacant() or self._another()).line()

    async def start(self, program: Program) -> Process:
        """Start `program`; see Launcher."""
        self._forget_lost()
        host = self._host_for(program)
        try:
            line = host.line()
        except OSError:
            self._replace(host)
            raise
        try:
            return await line.start(host.request(program))
        except HostLost:  # it may have been started all the same
            self._replace(host)
            with anyio.CancelScope(shield=True):
                key, folder = program.environment.get(KEY_VARIABLE, ""), program.log_path.parent
                await end_leftovers((key,), program.grace_s, folder)
            raise

    def close(self) -> None:
        """Let the hosts go; each ends at once unless a program still runs."""
        for host in self._all():
            host.hang_up()
        until_s = monotonic() + _END_PATIENCE_S
        for host in self._all():
            host.wait(until_s)
        self._forget_lost()
        self._hosts.clear()
        self._for_services = None

    def _all(self) -> tuple[OwnHost, ...]:
        return (*self._hosts, *((self._for_services,) if self._for_services else ()))

    def _host_for(self, program: Program) -> OwnHost:
        if program.leaves_processes:
            self._for_services = self._for_services or OwnHost(self._beside("services"))
            return self._for_services
        return self._host_of(program.run_id)

    def _host_of(self, run_id: int) -> OwnHost:
        """The host that the run has, if there is one; a run without programs gives it up."""
        own = next((one for one in self._hosts if run_id in one.runs), None)
        host = own or self._vacant() or self._another()
        if not host.under_way:
            host.runs.clear()
        host.runs.add(run_id)
        return host

    def _vacant(self) -> OwnHost | None:
        return next((one for one in self._hosts if not one.under_way), None)

    def _another(self) -> OwnHost:
        """One more host; the one with the fewest programs where there are enough."""
        if len(self._hosts) >= MOST_HOSTS:
            return min(self._hosts, key=lambda one: one.under_way)
        self._hosts.append(self._new())
        return self._hosts[-1]

    def _new(self) -> OwnHost:
        number = self._next_number()
        return OwnHost(self._folder if number == 1 else self._beside(str(number)))

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _replace(self, lost: OwnHost) -> None:
        """Have another one in the place of a host, unless there is one already."""
        if lost is self._for_services:
            self._for_services = OwnHost(self._beside(f"services-{self._next_number()}"))
        elif lost in self._hosts:
            self._hosts[self._hosts.index(lost)] = self._new()
        else:
            return
        lost.hang_up()
        self._lost.append(lost)

    def _forget_lost(self) -> None:
        """Reap those that have ended by now; nobody waits for one that hangs."""
        self._lost = [one for one in self._lost if not one.wait(monotonic())]

    def _beside(self, name: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}-{name}")


class OwnHost:
    """A stage host in a folder of its own, started anew when it was lost.

    `runs` are those that it was given to since it had nothing to do, and `pid` is its process, 0
    while there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._line: HostLine | None = None
        self.pid = 0
        self._inherited: dict[str, str] = {}
        self._known: Mapping[str, str] | None = None
        self.runs: set[int] = set()

    @property
    def under_way(self) -> int:
        """How many programs it has of which something is left."""
        return self._line.under_way if self._line is not None else 0

    def line(self) -> HostLine:
        """The line to the host, which is started if there is none. Raises OSError."""
        if self._line is None or not self._line.is_open:
            self._line = self._start()
        return self._line

    def hang_up(self) -> None:
        """Have it end as soon as no program runs."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def wait(self, until_s: float) -> bool:
        """Wait for its end, by the monotonic clock; False for one that still has work, or hangs."""
        if self.pid and _has_ended(self.pid, max(until_s - monotonic(), 0.0)):
            self.pid = 0
        return not self.pid

    def request(self, program: Program) -> Message:
        """What asks the host to start a program."""
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
            "secret_files": program.secret_files,
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

    def _start(self) -> HostLine:
        """Start it, after one that was lost anew. Raises OSError."""
        self.hang_up()
        self.wait(monotonic() + _END_PATIENCE_S)
        folder = self._folder.absolute()
        make_folder(folder)
        with socket.socket(socket.AF_UNIX) as listening:
            _listen(listening, folder)
            host = new_host(os.fspath(folder), listening)
        self.pid, self._inherited, self._known = host.pid, host.environment, None
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


def _has_ended(host: int, patience_s: float) -> bool:
    """Whether a child ends while it is waited for; it is reaped then."""
    with suppress(OSError):
        pidfd = os.pidfd_open(host)
        try:
            ended = select.poll()  # which takes any number of a descriptor
            ended.register(pidfd, select.POLLIN)
            ended.poll(patience_s * 1000)
        finally:
            os.close(pidfd)
        return os.waitpid(host, os.WNOHANG)[0] == host
    return True
