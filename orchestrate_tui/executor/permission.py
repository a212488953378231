"""Starting something only while the run that it is for is this executor's own.

A stage is committed as running before it is started. An executor that was stopped in between, and
whose run was taken over meanwhile, must not start it any more when it goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import field
from functools import partial
from time import monotonic

import anyio

from orchestrate_tui.agents.contract import Process, Program, Services
from orchestrate_tui.errors import Fenced
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.attendance import holder_of
from orchestrate_tui.store.fencing import check_carrier, check_uninterrupted
from orchestrate_tui.store.held_up import TOLD_AFTER_S
from orchestrate_tui.store.processes import told_process
from orchestrate_tui.values import dataclass

TRY_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True)
class StartPermission:
    """For the attempts of one run, or of the undos of one rollback of it."""

    executor: ExecutorContext
    run_id: int

    @asynccontextmanager
    async def granted(self, rollback_id: int | None = None) -> AsyncIterator[None]:
        """Nobody takes over during the block, which waits for whoever is just doing that.

        Raises Fenced when somebody has, or has taken this executor for dead.
        """
        with ExitStack() as held:
            since, is_told = monotonic(), False
            while not self._is_granted(held, rollback_id):
                if not is_told and monotonic() - since > TOLD_AFTER_S:
                    is_told = True
                    self.executor.hub.warn(self._taker())
                await anyio.sleep(TRY_INTERVAL_S)
            yield

    def _is_granted(self, held: ExitStack, rollback_id: int | None) -> bool:
        try:
            held.enter_context(self.granted_now(rollback_id))
        except BlockingIOError:
            return False
        return True

    def _taker(self) -> str:
        """For whom it is waited."""
        who = told_process(holder_of(self.executor.starting.path))
        return (
            f"{who} is taking run {self.run_id} over and does not get on with it: nothing of the"
            " run is started before it does, or ends"
        )

    @contextmanager
    def granted_now(self, rollback_id: int | None = None) -> Iterator[None]:
        """As `granted`; raises BlockingIOError while somebody is just taking something over."""
        epoch = self.executor.epoch
        check = (
            partial(check_uninterrupted, run_id=self.run_id, epoch=epoch)
            if rollback_id is None
            else partial(check_carrier, rollback_id=rollback_id, epoch=epoch)
        )
        with self.executor.starting.held():
            self.executor.database.read(check)
            yield

    def guard(self, process: Process, rollback_id: int | None = None) -> Process:
        """A process that is signalled only while the run that it is for is this executor's own."""
        return _OwnProcess(self, rollback_id, process)

    def launcher(self, rollback_id: int | None = None) -> PermittedLauncher:
        """The executor's launcher, which starts nothing without permission."""
        return PermittedLauncher(self, rollback_id)


@dataclass(slots=True)
class PermittedLauncher:
    """Starts what the permission allows.

    `started_s` is when it did so last, by the monotonic clock; before the first time, when it was
    made.
    """

    permission: StartPermission
    rollback_id: int | None
    started_s: float = field(default_factory=monotonic)

    async def start(self, program: Program) -> Process:
        """Start `program`; see Launcher. Raises Fenced when the run is another's."""
        return await self.permission.executor.room.start(partial(self._start, program))

    async def _start(self, program: Program) -> Process:
        async with self.permission.granted(self.rollback_id):
            process = await self.permission.executor.launcher.start(program)
        self.started_s = monotonic()
        return self.permission.guard(process, self.rollback_id)


@dataclass(frozen=True, slots=True)
class _OwnProcess:
    """Whoever has taken the run over has its processes too: they are not ours to end any more."""

    permission: StartPermission
    rollback_id: int | None
    process: Process

    @property
    def pid(self) -> int:
        """See Process."""
        return self.process.pid

    @property
    def ran_s(self) -> float:
        """See Process."""
        return self.process.ran_s

    @property
    def timed_out(self) -> bool:
        """See Process."""
        return self.process.timed_out

    @property
    def kept(self) -> Services:
        """See Process."""
        return self.process.kept

    def signal_tree(self, signal: int) -> None:
        """Signal it, unless it is another executor's by now, or as soon as that is known."""
        try:
            with self.permission.granted_now(self.rollback_id):
                self.process.signal_tree(signal)
        except BlockingIOError:
            if self.process.tree_lives():
                again = asyncio.get_running_loop().call_later
                again(TRY_INTERVAL_S, self.signal_tree, signal)
        except Fenced:
            self.process.let_go()

    def let_go(self) -> None:
        """See Process."""
        self.process.let_go()

    def tree_lives(self) -> bool:
        """Whether something is left of it that is ours to end."""
        if not self.process.tree_lives():
            return False
        try:
            with self.permission.granted_now(self.rollback_id):
                return True
        except BlockingIOError:
            return True
        except Fenced:
            self.process.let_go()
            return False

    async def wait(self) -> int:
        """See Process."""
        return await self.process.wait()

    async def wait_tree(self) -> None:
        """See Process."""
        await self.process.wait_tree()
