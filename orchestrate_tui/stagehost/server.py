"""The stage host's process: starts programs, sees how they end, and tells who asks.

It is the reaper of everything that its programs leave, ignores what ends an executor, and lives
as long as one is connected or a program runs. What nobody controls, it supervises itself: time
limits hold, and what a program leaves is ended.
"""

from __future__ import annotations

import ctypes
import math
import os
import selectors
import signal
import socket
from binascii import a2b_base64
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial

from orchestrate_tui.stagehost import trees
from orchestrate_tui.stagehost.boot import boot_clock
from orchestrate_tui.stagehost.clients import Client, Clients
from orchestrate_tui.stagehost.files import ERRORS, SOCKET, hold
from orchestrate_tui.stagehost.hunting import hunt, kill_all, standstill
from orchestrate_tui.stagehost.inheritance import Inheritance
from orchestrate_tui.stagehost.journal import Journal
from orchestrate_tui.stagehost.program import Program
from orchestrate_tui.stagehost.spawning import spawn
from orchestrate_tui.stagehost.starting import ORDERS, taken_orders
from orchestrate_tui.stagehost.urgency import Urgency
from orchestrate_tui.stagehost.wire import Message, told_error

_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGQUIT)
_PR_SET_CHILD_SUBREAPER = 36
_KILL_AGAIN_S = 1.0
_LOOK_AGAIN_S = 0.02
_CROWD = 8
_LEAST_S = 0.5
"""How long it may take to ask for an end where the grace is shorter."""

_OF_A_CROWD, _LEAST_OF_A_CROWD_S = 0.25, 0.2
"""The same for a crowd, as a part of the grace: it may leave no time to end that punctually."""


class Host:
    """Serves one folder until nobody is connected and nothing runs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = hold(folder)
        self._journal = Journal(folder)
        self._nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._inherited = dict(os.environ)
        self._marks = trees.Marks()
        self._programs: dict[str, Program] = {}
        self._ended: list[tuple[Program, int]] = []
        self._urgency = Urgency()
        self._left = Inheritance(self._programs)
        self._selector = selectors.DefaultSelector()
        self._clients = Clients(self._selector, self._answer, self._outlive)

    def serve(self, listening: socket.socket) -> None:
        """Work until nobody is connected and nothing runs."""
        self._clients.hear(listening)
        self._hear_children()
        self._await_the_first()
        while self._clients or self._programs:
            for key, events in self._selector.select(self._patience_s()):
                key.data(events)
            self._supervise()
            self._clients.hear_waiting(boot_clock())
            self._clients.send_all()
            if not any(one.is_being_ended for one in self._programs.values()):
                self._urgency.end()
        with suppress(OSError):
            os.unlink(os.path.join(self._folder, SOCKET))

    def _await_the_first(self) -> None:
        for key, events in self._selector.select(_FIRST_PATIENCE_S):
            key.data(events)

    def _register(self, source: int, handle: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, lambda _events: handle())

    # What an executor asks

    def _answer(self, client: Client, message: Message) -> None:
        match message["do"]:
            case "start":
                self._start(client, message)
                self._collect()
                under_way = len(self._programs) + len(client.unanswered)
                if len(self._ended) >= max(_TOLD_TOGETHER, under_way / 2):
                    self._note_ends()
                    self._clients.send_all()
            case "signal":
                self._signal(client, message["id"], message["signal"])
            case "claim":
                self._hand_over(client, message["id"])
            case "let_go":
                self._let_go(client, message["id"])

    def _start(self, client: Client, message: Message) -> None:
        key = message["id"]
        environment = {**self._inherited, **message["environment"]}
        for name in message["without"]:
            environment.pop(name, None)
        if key in self._programs:
            self._clients.tell(client, {"id": key, "refused": {"text": "it runs already"}})
            return
        self._urgency.end()  # what is started is to take its turn
        started_s = boot_clock()
        try:
            self._journal.starts(key)
            pid, mark, sink = spawn(
                message["argv"],
                environment,
                workdir=message["workdir"],
                log_path=message["log"],
                nothing=self._nothing,
                mark=self._marks.next(),
                secret_forms=a2b_base64(message.get("secret_forms", "")),
                secret_files=message.get("secret_files", ()),
            )
        except (OSError, ValueError) as error:
            self._journal.did_not_start(key)
            self._clients.tell(client, {"id": key, "refused": told_error(error)})
            return
        program = Program(key, pid, mark, message, client, started_s=started_s)
        if sink is not None:
            program.sink = sink
        self._programs[key] = program
        self._left.begin(program)
        self._clients.tell(client, _started(program))

    def _signal(self, client: Client, key: str, number: int) -> None:
        program = self._programs.get(key)
        if program is not None and program.client is client:
            program.stopped = True
            program.is_doomed = program.is_doomed or number == signal.SIGKILL
            self._send(program, number)

    def _send(self, program: Program, number: int) -> None:
        self._urgency.begin()
        is_last = number == signal.SIGKILL
        if is_last and self._left.is_all_doomed():
            self._signal_group(program, number)
            kill_all(
                self._left.known, self._collect, lambda: program.tree.head not in self._left.heads
            )
        others = partial(self._left.not_of, program)
        is_crowd = len(trees.children() - others()) > _CROWD  # looking at each takes too long
        until_s = math.inf if is_last else boot_clock() + _longest_s(program.grace_s, is_crowd)
        with standstill(others, self._collect, until_s) if is_crowd else nullcontext(()) as asleep:
            if asleep is None and not is_last:  # it would not be over before SIGKILL
                self._signal_group(program, number)
                return
            self._left.find(trees.children(), program, until_s)
            left_s = until_s - boot_clock()
            if not program.tree.send(number, asleep or (), longest_s=left_s):
                self._signal_group(program, number)
        if is_last:
            hunt(partial(self._left.is_of, program), others, self._collect)

    def _signal_group(self, program: Program, number: int) -> None:
        if program.tree.head in self._left.heads:  # then nobody else has its number
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(program.tree.head, number)

    def _hand_over(self, client: Client, key: str) -> None:
        """Let another executor control a program; who controlled it before does so no more."""
        program = self._programs.get(key)
        if program is None:
            self._clients.tell(client, {"id": key, "refused": {"text": "it does not run any more"}})
            return
        if program.client not in (None, client):
            self._clients.tell(program.client, {"id": key, "taken": True})
        program.client, program.is_let_go, program.due_s = client, False, None
        variable = os.fsdecode(program.tree.variable)
        self._clients.tell(client, {**_started(program), "variable": variable})
        if program.code is not None and program.sink is None:
            self._clients.tell(client, {"id": key, "ended": program.code, "left": True})

    def _let_go(self, client: Client, key: str) -> None:
        """Supervise a program that an executor controls no more, which is told of its end."""
        program = self._programs.get(key)
        if program is not None and program.client is client and not program.is_let_go:
            program.is_let_go = True
            program.due_s = program.limit_s if program.code is None else boot_clock()

    def _outlive(self, client: Client) -> None:
        """Supervise what an executor controlled that is gone."""
        for program in self._programs.values():
            if program.client is client:
                self._let_go(client, program.key)
                program.client = None

    # How programs end

    def _hear_children(self) -> None:
        reading, self._children = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._children, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._register(reading, lambda: self._reap(reading))

    def _reap(self, reading: int) -> None:
        os.read(reading, 4096)
        self._collect()
        self._note_ends()

    def _note_ends(self) -> None:
        ended, self._ended = self._ended, []
        children = trees.children() if ended else frozenset()
        for program, code in ended:
            self._note_end(program, code, children)

    def _collect(self) -> None:
        """Reap what has ended; the numbers of these processes may be given to others then.

        Where they end faster than they are reaped, the rest has to wait for the next round.
        """
        with suppress(ChildProcessError):
            for _ in range(_REAPED_TOGETHER):
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if (program := self._left.end(pid)) is not None:
                    self._ended.append((program, os.waitstatus_to_exitcode(status)))
            with suppress(BlockingIOError):
                os.write(self._children, b"\0")

    def _note_end(self, program: Program, code: int, children: frozenset[int]) -> None:
        program.code = code
        how = {"timed_out": program.timed_out, "stopped": program.stopped}
        self._journal.ended(program.key, code, **how, kept=program.tree.kept())
        if program.sink is None:
            self._tell_end(program, children)
            return
        program.sink.finish()
        program.whole_s = boot_clock() + _WHOLE_LOG_PATIENCE_S
        self._register(program.sink.control, lambda: self._note_whole_log(program))

    def _note_whole_log(self, program: Program) -> None:
        if program.sink is None:  # its time was over in the round that brought its end
            return
        self._selector.unregister(program.sink.control)
        program.sink.close()
        program.sink = program.whole_s = None
        self._tell_end(program, trees.children())

    def _tell_end(self, program: Program, children: frozenset[int]) -> None:
        left = self._is_left(program, children)
        end = {"id": program.key, "ended": program.code, "left": left, "kept": program.tree.kept()}
        self._clients.tell(program.client, end)
        if not left:
            del self._programs[program.key]
            return
        if program.is_let_go:
            program.due_s = program.due_s or boot_clock()
        self._watch(program)

    def _is_left(self, program: Program, children: frozenset[int]) -> bool:
        """Whether something of it still runs; `children` are those of this process since its end.

        What it left has this process above it. To look through all processes of the system after
        each end would cost more than to start one.
        """
        if self._left.find(children, program):
            return True
        return not children <= self._left.known() and bool(program.tree.members())

    def _watch(self, program: Program) -> None:
        """Wait for the ends of what a program left, and look again after them.

        What cannot be waited for, because it ended just now or no descriptor is free, is looked
        at again soon.
        """
        is_left = self._left.find(trees.children(), program)
        present = program.tree.members()
        if program.is_doomed and (present or is_left):
            self._send(program, signal.SIGKILL)
        for pid in present:
            if pid not in program.watched:
                with suppress(OSError):
                    program.watched[pid] = pidfd = os.pidfd_open(pid)
                    self._register(pidfd, lambda pid=pid: self._look_again(program, pid))  # type: ignore[misc]
        if not present and not is_left:
            self._forget(program)

    def _look_again(self, program: Program, pid: int) -> None:
        pidfd = program.watched.pop(pid, None)
        if pidfd is None:  # the whole tree was forgotten in the round that brought this end
            return
        self._selector.unregister(pidfd)
        os.close(pidfd)
        if not program.watched:
            self._watch(program)

    def _forget(self, program: Program) -> None:
        for pidfd in program.watched.values():
            self._selector.unregister(pidfd)
            os.close(pidfd)
        del self._programs[program.key]
        self._clients.tell(
            program.client, {"id": program.key, "empty": True, "kept": program.tree.kept()}
        )

    # What nobody tells, and what nobody controls

    def _patience_s(self) -> float | None:
        now = boot_clock()
        dues = [one.due_s for one in self._programs.values() if one.due_s is not None]
        dues += [one.whole_s for one in self._programs.values() if one.whole_s is not None]
        dues += [self._clients.due_s] if self._clients.due_s is not None else []
        dues += [now + _LOOK_AGAIN_S for one in self._programs.values() if one.is_unwatched]
        return max(min(dues) - now, 0.0) if dues else None

    def _supervise(self) -> None:
        now = boot_clock()
        for program in list(self._programs.values()):
            if program.whole_s is not None and program.whole_s <= now:
                self._note_whole_log(program)
            elif program.is_unwatched:
                self._watch(program)
            if program.due_s is not None and program.due_s <= now:
                self._end(program, now)

    def _end(self, program: Program, now: float) -> None:
        program.timed_out = program.timed_out or program.code is None
        program.is_doomed = program.next_signal is signal.SIGKILL
        self._send(program, program.next_signal)
        is_first = program.next_signal is signal.SIGTERM
        program.due_s = now + (program.grace_s if is_first else _KILL_AGAIN_S)
        program.next_signal = signal.SIGKILL


_TOLD_TOGETHER = 4
"""So many ends, and half of what is under way, are told at once while the rest is started: each
tiding costs the executor a commit."""

_WHOLE_LOG_PATIENCE_S = 10.0
"""How long the end of a program is kept back for what masks its log."""

_REAPED_TOGETHER = 256
"""So many at most are reaped before something else is done."""

_FIRST_PATIENCE_S = 30.0
"""How long a new host waits for the executor that started it."""


def _longest_s(grace_s: float, is_crowd: bool) -> float:  # noqa: FBT001  (nothing else)
    """How long it may take to ask for an end."""
    if is_crowd:
        return max(_OF_A_CROWD * grace_s, _LEAST_OF_A_CROWD_S)
    return max(grace_s, _LEAST_S)


def _started(program: Program) -> Message:
    return {
        "id": program.key,
        "started": program.tree.head,
        "mark": program.tree.mark,
        "ran_s": boot_clock() - program.started_s,
    }


def become_reaper() -> None:
    """Have this process inherit what its descendants leave."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _close_others() -> None:
    """Close what this process inherited without need; no stage is to have it."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > ORDERS:
            with suppress(OSError):  # the one that the list was read from
                os.close(int(name))


def _tell_errors(folder: str) -> None:
    """Let what goes wrong in this process be read in a file of the folder."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    errors = os.open(os.path.join(folder, ERRORS), flags, 0o600)
    for stream in (1, 2):
        os.dup2(errors, stream)
    os.close(errors)


def main() -> None:
    """Serve what this process is told to serve; end if whoever started it has no need of it."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(ORDERS, False)
    _close_others()
    os.chdir("/")  # no file system is kept busy
    become_reaper()
    if (orders := taken_orders(ORDERS)) is not None:
        folder, listening = orders
        _tell_errors(folder)
        Host(folder).serve(listening)
