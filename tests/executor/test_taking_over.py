"""Taking a run from an executor that lives but does nothing; it lets go when it goes on."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.agents.contract import Process, Program
from orchestrate_tui.agents.hosted import HostLauncher
from orchestrate_tui.domain.moments import spoken, utc_now
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.errors import Fenced, Refused, StaleTransition
from orchestrate_tui.executor import permission, remote
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.standstill import standstill
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import Takeover, take_over
from orchestrate_tui.store.locks import try_hold
from orchestrate_tui.store.recovery import interrupt
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    Other,
    Pulse,
    Scene,
    after,
    asking,
    is_running,
    pipeline,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

ME = current_user()
SLOW_UNDO = "echo $ORCHESTRATE_STAGE >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"


def stop(other: Other) -> None:
    os.kill(other.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, other.pid, os.WSTOPPED)


def go_on(other: Other) -> None:
    os.kill(other.pid, signal.SIGCONT)


async def test_a_stopped_owner_keeps_its_run_until_somebody_gives_a_reason(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    stop(other)
    assert scene.history.run(1).status is RunStatus.RUNNING
    with pytest.raises(Refused, match=rf"\(process {other.pid}\) works on it.*--take-over"):
        await scene.executor.resume_run(1)
    with pytest.raises(Refused, match="needs a reason"):
        await scene.executor.resume_run(1, take_over=" ")
    assert scene.statuses(1) == {"a": "running"}


async def test_who_is_late_is_not_asked_what_became_of_stages_that_another_one_ended(
    scene: Scene,
) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    other.kill()
    scene.bury(with_processes=False)
    seen = scene.executor._runs.marked(1)
    async with PipelineExecutor(scene.executor.database) as faster:
        await faster._parts.taking_over.stopped(seen, "cancelled by ann", "ann")
        late = scene.executor._context.takeover("bob")
        with pytest.raises(StaleTransition, match="Run 1 was taken over by ann at"):
            await scene.executor._parts.taking_over.resume(seen, late)
        with pytest.raises(StaleTransition, match=rf"is just being taken up by {ME} \(process"):
            await scene.executor.resume_run(1)
        async with faster._runs.taking_up(1, "ann"):
            with pytest.raises(Refused, match="Run 1 is just being taken up by ann"):
                await faster.resume_run(1, actor="bob")


async def test_an_owner_that_ends_while_it_is_waited_for_starts_nothing_any_more(
    scene: Scene,
) -> None:
    path = scene.executor.database.files.starting_lock(99)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)

        async def wait() -> None:
            async with standstill(scene.executor._context, 99, {}):
                pass

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            path.unlink()


async def stopped_taker(scene: Scene) -> int:
    """Somebody takes something over, and is stopped before they have or have not."""
    path = scene.executor.database.files.starting_lock(scene.executor.epoch)
    while (held := try_hold(path)) is None:
        await anyio.lowlevel.checkpoint()
    return held


async def test_an_owner_starts_nothing_while_somebody_takes_over_and_does_all_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permission, "TOLD_AFTER_S", 0)
    subscription = scene.hub.subscribe()
    async with scene.running(stage("a", HOLD)) as run_id:
        await scene.ready.line()
        taker = await stopped_taker(scene)
        async with scene.running(stage("b", HOLD)) as later:
            await scene.until(later, "b", StageStatus.RUNNING)
            scene.gate.open()
            await scene.until(run_id, "a", StageStatus.SUCCEEDED)
            told: list[str] = []
            while not told:
                told += subscription.take_warnings()
                await anyio.lowlevel.checkpoint()
            assert f"Process {os.getpid()} of {ME} is taking run {later} over" in told[0]
            os.close(taker)
            await scene.ready.line()
            scene.gate.open()
    assert scene.ended[later].status is RunStatus.SUCCEEDED


async def test_what_is_cancelled_while_somebody_takes_over_is_ended_when_they_have_not(
    scene: Scene,
) -> None:
    async with scene.running(stage("a", FOREVER), stage("b", FOREVER)) as run_id:
        pids = [line.split()[1] for line in await scene.ready.lines(2)]
        taker = await stopped_taker(scene)
        await scene.executor.cancel(run_id)
        assert all(map(is_running, pids))  # whose they are nobody knows yet
        os.close(taker)
    assert scene.ended[run_id].status is RunStatus.CANCELLED
    assert not any(map(is_running, pids))


async def test_what_is_taken_from_a_stopped_owner_goes_on_once(scene: Scene) -> None:
    other = scene.other_run(stage("a", HOLD), after("b", "a"))
    await scene.ready.line()
    stop(other)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_take, scene)
        await _taken_back(scene)
        go_on(other)
        assert await other.result() == (
            f"Fenced: Run 1 was taken over by {ME} at {_when(scene)}: it hangs."
            " This process has let go of it"
        )
        scene.gate.open()
    assert scene.history.run(1).status is RunStatus.SUCCEEDED
    assert scene.starts(1) == ["a", "a", "b"]


async def test_what_was_put_out_before_a_takeover_is_not_lost(scene: Scene) -> None:
    other = scene.other_run(stage("a", f'echo v=1 >>"$ORCHESTRATE_OUTPUT"; {HOLD}'))
    await scene.ready.line()
    stop(other)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_take, scene)
        await _taken_back(scene)
        go_on(other)
        await other.result()
        scene.gate.open()
    assert scene.history.outputs(1) == {("a", "v"): "1"}


async def _take(scene: Scene, run_id: int = 1) -> None:
    await scene.executor.resume_run(run_id, take_over="it hangs")


async def _taken_back(scene: Scene) -> None:
    """Wait until the executor of the scene controls the stage that another one started."""
    await scene.hub.until(
        lambda: scene.executor.active and scene.statuses(1) | {"a": "running"} == scene.statuses(1)
    )


def _when(scene: Scene) -> str:
    (event,) = (one for one in scene.history.events(1) if one.kind == "takeover")
    assert (event.actor, event.detail) == (ME, "it hangs")
    return spoken(event.at)


async def test_an_owner_that_lets_go_leaves_word_of_how_its_stages_ended(scene: Scene) -> None:
    other = scene.other_run(stage("a", f"{HOLD}; echo a >>done"))
    await scene.ready.line()
    stop(other)
    scene.gate.open()
    await scene.until_ended("1-a.1")
    taken = scene.executor._context.takeover("ann", "it hangs")
    scene.executor.database.write(partial(_take_from, scene.history.run(1), taken))
    go_on(other)
    assert (await other.result()).startswith("Fenced")
    await other.ended()
    assert (await scene.executor.resume_run(1)).status is RunStatus.SUCCEEDED
    assert scene.noted("done") == ["a"]


def _take_from(run: Run, takeover: Takeover, connection: Connection) -> None:
    """What `resume --take-over` commits before it looks at what became of the stages."""
    take_over(connection, run.id, seen=run.epoch, status=run.status, takeover=takeover)
    interrupt(
        connection,
        run.id,
        epoch=takeover.epoch,
        expected=run.status,
        reason="taken",
        at=takeover.at,
    )


async def test_an_owner_that_has_nothing_to_write_notices_too(scene: Scene) -> None:
    other = scene.other_run(stage("ship", approval=asking("root")))
    await other.until(
        lambda: scene.exists(1) and scene.stage(1, "ship").status is StageStatus.WAITING_APPROVAL
    )
    stop(other)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_take, scene)
        await scene.hub.until(lambda: _runs_again(scene))
        go_on(other)
        assert (await other.result()).startswith("Fenced: Run 1 was taken over")
        await scene.executor.approve(1, "ship", actor="root")
    assert scene.statuses(1) == {"ship": "succeeded"}


async def test_the_processes_of_the_owner_before_are_controlled_by_one_executor(
    scene: Scene,
) -> None:
    other = scene.other_run(stage("a", FOREVER))
    _, pid = (await scene.ready.line()).split()
    stop(other)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_take, scene)
        await _taken_back(scene)
        go_on(other)
        await other.result()
        assert is_running(pid)
        log = scene.history.log_path(1, "a", 1)
        assert not log.exists() or "orchestrate-tui:" not in log.read_text()
        await scene.executor.cancel(1)
    assert not is_running(pid)


async def test_a_rollback_is_taken_from_a_stopped_owner(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=SLOW_UNDO, how={"idempotent": True}))
    other = scene.other("rollback", run.id, "a")
    await scene.ready.line()
    stop(other)
    with pytest.raises(Refused, match="--take-over"):
        await scene.executor.resume_run(run.id)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_take, scene, run.id)
        await scene.hub.until(lambda: scene.executor.active)
        go_on(other)
        assert (await other.result()).startswith("Fenced: Rollback 1 was taken over")
        scene.gate.open()
    assert scene.rollback(run.id).status is RollbackStatus.SUCCEEDED
    assert scene.undone() == ["a"]


async def test_of_two_who_take_over_one_wins_and_the_other_is_told_who(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    stop(other)
    told: list[str] = []
    run = scene.history.run(1)

    async def take(executor: PipelineExecutor, actor: str) -> None:
        try:
            await executor._parts.taking_over.resume(
                run, executor._context.takeover(actor, "it hangs")
            )
        except Refused as refused:
            told.append(str(refused))

    async with (
        PipelineExecutor(scene.executor.database) as second,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(take, scene.executor, "ann")
        tasks.start_soon(take, second, "bob")
        while not (told and (scene.executor.active or second.active)):
            await anyio.lowlevel.checkpoint()
        await (scene.executor if scene.executor.active else second).cancel(1)
    (event,) = (one for one in scene.history.events(1) if one.kind == "takeover")
    (sentence,) = told
    assert f"was taken over by {event.actor} at {spoken(event.at)}: it hangs" in sentence


class Thief(Pulse):
    """Takes the run over the moment a stage of it is committed as running."""

    def __init__(self) -> None:
        super().__init__()
        self.executor: PipelineExecutor

    def publish(self, changes: Iterable[Change]) -> None:
        told = tuple(changes)
        if any(change.stage_name for change in told):
            self.executor.database.write(
                lambda connection: connection.execute("UPDATE runs SET epoch = 99").close()
            )
        super().publish(told)


async def test_a_stage_that_was_about_to_start_is_not_started_any_more(scene: Scene) -> None:
    thief = Thief()
    async with PipelineExecutor(scene.executor.database, hub=thief) as executor:
        thief.executor = executor
        run_id = await executor.create_run(
            pipeline(stage("a", "echo a >>started")), workdir=scene.folder
        )
        with pytest.raises(Fenced):
            await executor.execute_run(run_id)
    assert scene.starts(run_id) == ["a"]
    assert scene.noted("started") == []


class SlowLauncher(HostLauncher):
    """Starts nothing until it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.may_start = anyio.Event(), anyio.Event()

    async def start(self, program: Program) -> Process:
        self.asked.set()
        await self.may_start.wait()
        return await super().start(program)


async def test_nothing_is_taken_from_who_is_just_starting_something(scene: Scene) -> None:
    launcher = SlowLauncher(scene.folder / "host")
    async with PipelineExecutor(scene.executor.database, launcher=launcher) as executor:
        run_id = await executor.create_run(
            pipeline(stage("a", "echo a >>started")), workdir=scene.folder
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(executor.execute_run, run_id)
            await launcher.asked.wait()
            with pytest.raises(Refused, match=r"is about to start something.*kill -9"):
                await scene.executor.resume_run(run_id, take_over="it hangs")
            launcher.may_start.set()
    assert scene.statuses(run_id) == {"a": "succeeded"}
    assert scene.noted("started") == ["a"]


@asynccontextmanager
async def with_a_mad_clock(scene: Scene) -> AsyncIterator[PipelineExecutor]:
    """An executor whose clock jumps a day forth and a year back with every look."""
    jumps = cycle((timedelta(days=1), timedelta(days=-365)))

    def clock() -> datetime:
        return utc_now() + next(jumps)

    async with PipelineExecutor(scene.executor.database, clock=clock) as executor:
        yield executor


TAKE = """
import fcntl, sys
lock = open(sys.argv[1])
fcntl.flock(lock, fcntl.LOCK_EX)
print("takes", flush=True)
sys.stdin.read()
"""


@contextmanager
def taking(path: Path) -> Iterator[int]:
    """A process that is in the middle of taking something over; it waits for what is started."""
    command, pipe = [sys.executable, "-c", TAKE, os.fspath(path)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as taker:
        assert taker.stdout
        assert taker.stdout.readline() == b"takes\n"
        yield taker.pid
        taker.kill()


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGSTOP], ids=["at work", "stopped"])
async def test_who_is_in_the_middle_of_taking_something_is_named_and_not_the_owner(
    scene: Scene, number: int
) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    epoch = scene.history.run(1).epoch or 0
    with taking(scene.executor.database.files.starting_lock(epoch)) as taker:
        stop(other)
        os.kill(taker, number)
        with pytest.raises(Refused) as caught:
            await scene.executor.resume_run(1, take_over="it hangs")
    assert f"Process {taker} of {ME} is taking something over" in str(caught.value)
    assert f"kill -9 {taker}" in str(caught.value)
    assert (f"kill -CONT {taker}" in str(caught.value)) == (number == signal.SIGSTOP)


async def test_a_clock_that_jumps_neither_gives_nor_takes_a_run(scene: Scene) -> None:
    other = scene.other_run(stage("a", HOLD))
    await scene.ready.line()
    async with with_a_mad_clock(scene) as executor:
        with pytest.raises(Refused, match="works on it"):
            await executor.resume_run(1)
        own = await executor.create_run(pipeline(stage("b", HOLD)), workdir=scene.folder)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(executor.execute_run, own)
            await scene.ready.line()
            with pytest.raises(Refused, match="works on it"):
                await scene.executor.resume_run(own)
            scene.gate.open(2)
    assert await other.result() == "succeeded"
    assert scene.history.run(own).status is RunStatus.SUCCEEDED


async def test_who_asks_an_owner_that_keeps_silent_is_told_how_to_go_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 0.1)
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    stop(other)
    with pytest.raises(Refused, match=r"has not answered.*resume 1 --take-over"):
        await scene.executor.cancel(1)
    go_on(other)
    assert await other.result() == "cancelled"


async def test_what_was_asked_and_not_answered_is_refused_by_who_takes_over(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    stop(other)
    refusals: list[str] = []

    async def cancel() -> None:
        with pytest.raises(Refused) as caught:
            await scene.executor.cancel(1, actor="ann")
        refusals.append(str(caught.value))

    async with (
        PipelineExecutor(scene.executor.database) as second,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(cancel)
        await scene.hub.until(lambda: _asked(scene))
        tasks.start_soon(partial(second.resume_run, 1, take_over="it hangs"))
        while not (refusals and second.active):
            await anyio.lowlevel.checkpoint()
        await second.cancel(1)
    assert refusals == [f"Run 1 was taken over by {ME} before this was answered"]


def _runs_again(scene: Scene) -> bool:
    """Whether the run goes on with its new owner."""
    if 1 not in scene.executor.active:
        return False
    return scene.executor._runs.sessions[1]._gate.is_waiting("ship")


def _asked(scene: Scene) -> bool:
    """Whether a command waits for its answer."""
    query = "SELECT count(*) FROM commands WHERE status = 'pending'"
    return bool(scene.executor.database.read(lambda c: c.execute(query).fetchone()[0]))
