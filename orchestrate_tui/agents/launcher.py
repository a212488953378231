"""Starts processes directly, as children of the executor."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

import anyio

from orchestrate_tui.agents.contract import Process, Program
from orchestrate_tui.agents.log import open_log
from orchestrate_tui.agents.sessions import members, wait_until_empty


class DirectLauncher:
    """Starts each program in a session of its own, its output straight in its log file.

    No pipe is read: a process that outlives its stage, or the executor, neither blocks anybody
    nor dies at its next line of output.
    """

    async def start(self, program: Program) -> Process:
        """Start `program`; see Launcher."""
        log = open_log(program.log_path)
        try:
            return DirectProcess(_spawn(program, log))
        finally:
            os.close(log)


def _spawn(program: Program, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program.argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=program.workdir,
        env=program.environment,
        start_new_session=True,
    )


class DirectProcess:
    """A child of this process at the head of its own session; only its event loop may use it."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        try:
            self._pidfd = os.pidfd_open(child.pid)
        except OSError:  # no descriptor left: nobody could wait for it
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise

    @property
    def pid(self) -> int:
        """The process at the head of the tree, and the number of its session."""
        return self._child.pid

    def signal_tree(self, signal: int) -> None:
        """Send `signal` to every process group of the session.

        A group's number is not given away while it has members, and these were seen just now.
        """
        for group in {member.group for member in members(self.pid)}:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal)

    def tree_lives(self) -> bool:
        """Whether the head was not waited for, or something is left in its process group.

        Other groups of the session are only looked for when this one is not empty: to search
        the whole system after each stage would cost more than to start it.
        """
        if self._child.returncode is None:
            return True
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return bool(members(self.pid))

    async def wait(self) -> int:
        """Wait for the head of the tree and reap it; see Process."""
        if self._child.returncode is None:
            await anyio.wait_readable(self._pidfd)
            self._child.wait()
            os.close(self._pidfd)
        return self._child.returncode

    async def wait_tree(self) -> None:
        """Wait until nothing of the session runs any more."""
        await self.wait()
        await wait_until_empty(self.pid)
