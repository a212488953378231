"""An executor on a real database, and short words for what the tests ask of it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from orchestrate_tui.domain.events import Event, RollbackEvent, RollbackStep
from orchestrate_tui.domain.pipeline import (
    Agent,
    AgentKind,
    Approval,
    OnFailure,
    Pipeline,
    Simulation,
    Stage,
    Undo,
)
from orchestrate_tui.domain.run import Run, StageRun, TriggerContext
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.hub import Change, Hub
from orchestrate_tui.stagehost.files import LOCK
from orchestrate_tui.store.definitions import encode_pipeline
from orchestrate_tui.store.history import History

REPOSITORY = Path(__file__).parents[2]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

SCRIPT = Agent(
    name="script", kind=AgentKind.COMMAND, command=("/bin/sh", "-ec", "${task}"), grace_s=5
)
"""Does what the task says, in the folder of the run."""

NOTHING = Agent(name="nothing", kind=AgentKind.SIMULATED, simulated=Simulation())
FAILURE = Agent(name="failure", kind=AgentKind.SIMULATED, simulated=Simulation(fail=True))

HOLD = "echo $ORCHESTRATE_STAGE >ready; read go <gate"
"""A task that says that it runs and goes on when the gate is opened."""

FOREVER = "echo $ORCHESTRATE_STAGE $$ >ready; exec tail -f /dev/null"
"""A task that says that it runs, and its process, and never ends by itself."""

HALT, CONTINUE, ROLLBACK = OnFailure.HALT, OnFailure.CONTINUE, OnFailure.ROLLBACK


def stage(name: str, task: str = "true", **settings: Any) -> Stage:
    """A stage that starts at once unless it is told what it depends on."""
    return Stage(**({"name": name, "agent": "script", "task": task, "depends_on": ()} | settings))


def after(name: str, *others: str, task: str = "true", **settings: Any) -> Stage:
    """A stage that waits for others."""
    return stage(name, task, depends_on=others, **settings)


def undone(name: str, task: str = "", *others: str, **settings: Any) -> Stage:
    """A stage whose undo notes its name in the file `undone`."""
    undo = Undo(task=settings.pop("undo", f"echo {name} >>undone"), **settings.pop("how", {}))
    return after(name, *others, task=task or "true", rollback=undo, **settings)


def asking(*approvers: str, **settings: Any) -> Approval:
    return Approval(approvers=approvers, **settings)


def pipeline(*stages: Stage, **settings: Any) -> Pipeline:
    given = {"name": "shop", "agents": (SCRIPT, NOTHING, FAILURE)}
    return Pipeline(stages=stages, **(given | settings))


class Pulse(Hub):
    """A hub on which a test can wait for what is committed."""

    def __init__(self) -> None:
        super().__init__()
        self._beat = anyio.Event()

    def publish(self, changes: Any) -> None:
        told: tuple[Change, ...] = tuple(changes)
        super().publish(told)
        self._beat.set()
        self._beat = anyio.Event()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something committed makes it hold."""
        while not holds():
            await self._beat.wait()


class Pipe:
    """A named pipe between stages and the test; neither end ever blocks in opening it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._heard = b""

    async def line(self) -> str:
        """The next line that a stage writes."""
        while b"\n" not in self._heard:
            await anyio.wait_readable(self._end)
            self._heard += os.read(self._end, 4096)
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    async def lines(self, count: int) -> set[str]:
        """So many further lines, whatever their order."""
        return {await self.line() for _ in range(count)}

    def open(self, times: int = 1) -> None:
        """Let that many waiting stages go on."""
        os.write(self._end, b"\n" * times)

    def close(self) -> None:
        os.close(self._end)


class Other:
    """An executor in another process; see other_process.py."""

    def __init__(self, database: Path, folder: Path, *arguments: object) -> None:
        told = (str(argument) for argument in (database, folder, *arguments))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.executor.other_process", *told],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something that it committed makes it hold."""
        while not holds():
            await self._line()

    async def result(self) -> str:
        """Wait for its end and what it said last."""
        while True:
            line = await self._line()
            if line.startswith("result "):
                return line.removeprefix("result ").strip()

    async def _line(self) -> str:
        assert self._process.stdout is not None
        line = await anyio.to_thread.run_sync(self._process.stdout.readline, abandon_on_cancel=True)
        assert line, "the other process ended"
        return str(line)

    async def die_after(self, commits: int) -> bool:
        """Kill it after so many commits; whether it had done its work before."""
        for _ in range(commits):
            if (await self._line()).startswith("result "):
                return True
        self.kill()
        return False

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        return await anyio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash of the machine's memory would: nothing of it runs any more."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()


def end_processes_in(folder: Path) -> None:
    """Kill what stages of a killed executor left running in their folder, and wait for its end."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                _kill(int(entry.name))


def end_hosts_in(hosts: Path) -> None:
    """Kill the stage hosts of killed executors; nobody knows then how their stages ended."""
    for host in hosts_in(hosts):
        with suppress(OSError):
            _kill(host)


def hosts_in(hosts: Path) -> list[int]:
    """The processes of stage hosts whose folder this is, or is in it."""
    locks = {path.resolve() for path in hosts.rglob(LOCK)}
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and _holds_one_of(locks, entry):
                found.append(int(entry.name))
    return found


def _holds_one_of(locks: set[Path], process: Path) -> bool:
    return any(
        descriptor.readlink() in locks
        and "WRITE" in (process / "fdinfo" / descriptor.name).read_text()
        for descriptor in (process / "fd").iterdir()
    )


def _kill(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [])
    os.close(pidfd)


@dataclass(slots=True)
class Scene:
    """An executor, the folder its stages work in, and what is recorded."""

    executor: PipelineExecutor
    hub: Pulse
    folder: Path
    history: History
    ready: Pipe
    gate: Pipe
    other_gate: Pipe
    ended: dict[int, Run] = field(default_factory=dict)
    others: list[Other] = field(default_factory=list)

    def other(self, *arguments: object) -> Other:
        """An executor of another process on the same database; arguments as other_process.py."""
        other = Other(self.executor.database.path, self.folder, *arguments)
        self.others.append(other)
        return other

    def other_run(self, *stages: Stage, **settings: Any) -> Other:
        """Another process that works on a run of its own, the next of the database."""
        body, _ = encode_pipeline(pipeline(*stages, **settings))
        return self.other("execute", body)

    def bury(self, *, with_processes: bool = True) -> None:
        """Wait until nothing of executors that were killed is left.

        A process that one of them was just starting holds its lock until it is another program.
        """
        own = self.executor.database.files.owner_lock(self.executor._context.epoch)
        for path in own.parent.glob("*.lock"):
            if path != own:
                with path.open() as lock:
                    fcntl.flock(lock, fcntl.LOCK_SH)
        if with_processes:
            own_host = self.executor.database.files.host(self.executor._context.epoch)
            for host in own_host.parent.glob("*"):
                if host.name.partition("-")[0] != own_host.name:
                    end_hosts_in(host)
            end_processes_in(self.folder)

    def exists(self, run_id: int) -> bool:
        return any(run.id == run_id for run in self.history.runs())

    async def create(self, *stages: Stage, **settings: Any) -> int:
        """A run that nobody has started; settings that are not a run's are the pipeline's."""
        of_run = {key: settings.pop(key) for key in ("simulated", "actor") if key in settings}
        trigger = settings.pop("trigger", TriggerContext())
        return await self.executor.create_run(
            pipeline(*stages, **settings), trigger, workdir=self.folder, **of_run
        )

    async def run(self, *stages: Stage, **settings: Any) -> Run:
        """A run as it ended."""
        return await self.executor.execute_run(await self.create(*stages, **settings))

    @asynccontextmanager
    async def running(self, *stages: Stage, **settings: Any) -> AsyncIterator[int]:
        """A run that is worked on during the block; the block's end waits for the run's."""
        run_id = await self.create(*stages, **settings)

        async def work() -> None:
            self.ended[run_id] = await self.executor.execute_run(run_id)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            yield run_id

    async def until(self, run_id: int, name: str, status: StageStatus) -> None:
        """Wait until a stage is committed to be in a status."""
        await self.hub.until(lambda: self.stage(run_id, name).status is status)

    async def until_ended(self, key: str) -> None:
        """Wait until the journal of a stage host says how a program ended."""
        journals = list(self.history.files.hosts.glob("*/journal"))
        while not any(f'-{key}","code"' in journal.read_text() for journal in journals):
            await anyio.lowlevel.checkpoint()

    def stage(self, run_id: int, name: str) -> StageRun:
        return next(one for one in self.history.stages(run_id) if one.stage_name == name)

    def statuses(self, run_id: int) -> dict[str, str]:
        return {one.stage_name: str(one.status) for one in self.history.stages(run_id)}

    def reasons(self, run_id: int) -> dict[str, str]:
        return {one.stage_name: one.reason for one in self.history.stages(run_id) if one.reason}

    def starts(self, run_id: int) -> list[str]:
        """The stages in the order in which their attempts began."""
        return [event.stage_name or "" for event in self.stage_events(run_id, "running")]

    def stage_events(self, run_id: int, *statuses: str) -> list[Event]:
        events = self.history.events(run_id, limit=100_000)
        return [one for one in events if one.kind == "stage" and one.to_status in statuses]

    def rollback(self, run_id: int) -> RollbackEvent:
        """The only rollback of a run."""
        (event,) = self.history.rollbacks(run_id)
        return event

    def rollbacks(self, run_id: int) -> list[RollbackEvent]:
        """The rollbacks of a run, oldest first."""
        return list(reversed(self.history.rollbacks(run_id)))

    def steps(self, rollback_id: int | None) -> dict[str, str]:
        return {step.stage_name: str(step.status) for step in self.step_rows(rollback_id)}

    def step_rows(self, rollback_id: int | None) -> tuple[RollbackStep, ...]:
        return self.history.steps(rollback_id or 0)

    def undone(self) -> list[str]:
        """What undos noted in the file `undone`, in their order."""
        return self.noted("undone")

    def noted(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


def is_running(pid: int | str) -> bool:
    """Whether the process exists and is more than an entry that waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def break_writing(scene: Scene) -> None:
    """Let no stage succeed any more, as a full disk would."""
    scene.executor.database.write(
        lambda c: c.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON stages WHEN NEW.status = 'succeeded'"
            " BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        ).close()
    )


def mend_writing(scene: Scene) -> None:
    """Undo break_writing."""
    scene.executor.database.write(lambda c: c.execute("DROP TRIGGER broken").close())
