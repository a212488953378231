"""What is asked of one executor at the same moment, and what it leaves when it fails in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import pytest

from orchestrate_tui.domain.run import Settlement
from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from orchestrate_tui.errors import Refused, StoreError
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    Other,
    Scene,
    end_hosts_in,
    hosts_in,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SLOW_UNDO = "echo $ORCHESTRATE_STAGE >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"
IDEMPOTENT = {"idempotent": True}


async def killed(scene: Scene, other: Other) -> str:
    """Kill an executor, but neither its host nor its stage, when that says that it runs."""
    line = await scene.ready.line()
    other.kill()
    scene.bury(with_processes=False)
    return line


@contextmanager
def silent_host(scene: Scene, epoch: int | None) -> Iterator[None]:
    """The host of that executor answers nobody during the block."""
    (host,) = hosts_in(scene.history.files.host(epoch or 0))
    os.kill(host, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(host, signal.SIGCONT)


async def until_own(scene: Scene, query: str) -> None:
    """Wait until what the query finds belongs to the executor of the scene."""
    own = scene.executor._context.epoch
    while scene.executor.database.read(lambda c: c.execute(query).fetchone()[0]) != own:
        await anyio.lowlevel.checkpoint()


async def test_a_run_that_is_just_being_cancelled_is_not_begun(scene: Scene) -> None:
    run_id = await scene.create(stage("a", "echo a >>done"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.cancel, run_id)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(Refused, match="Run 1 is just being taken up"):
            await scene.executor.execute_run(run_id)
    assert scene.history.run(run_id).status is RunStatus.CANCELLED
    assert scene.noted("done") == []


async def test_a_rollback_that_was_left_is_taken_up_once(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=SLOW_UNDO, how=IDEMPOTENT))
    await killed(scene, scene.other("rollback", run.id, "a"))
    async with anyio.create_task_group() as tasks:
        with silent_host(scene, scene.rollback(run.id).epoch):
            tasks.start_soon(scene.executor.resume_run, run.id)
            await until_own(scene, "SELECT epoch FROM rollback_events")
            with pytest.raises(Refused):
                await scene.executor.resume_run(run.id)
            with pytest.raises(Refused, match="Run 1 is just being taken up"):
                await scene.executor.halt(1)
        scene.gate.open()
    assert scene.undone() == ["a"]
    assert scene.rollback(run.id).status is RollbackStatus.SUCCEEDED


async def test_who_follows_a_rollback_from_its_first_moment_sees_its_end(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=HOLD))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "a")
        while not scene.history.rollbacks(run.id):
            await anyio.lowlevel.checkpoint()
        scene.gate.open()
        event = await scene.executor.follow_rollback(1)
    assert event.status is RollbackStatus.SUCCEEDED


async def test_a_run_whose_taking_up_is_given_up_is_left_to_others(scene: Scene) -> None:
    await killed(scene, scene.other_run(stage("a", f"trap '' TERM; {FOREVER}")))
    end_hosts_in(scene.history.files.hosts)
    async with anyio.create_task_group() as tasks:
        resume = partial(scene.executor.resume_run, 1, settled={"a": Settlement.RERUN})
        tasks.start_soon(resume)
        await until_own(scene, "SELECT epoch FROM runs")
        tasks.cancel_scope.cancel()
    assert scene.history.run(1).epoch is None


async def test_a_run_that_cannot_be_gone_on_with_is_left_to_others(scene: Scene) -> None:
    await killed(scene, scene.other_run(stage("a", HOLD)))
    with broken(scene, "runs WHEN NEW.status = 'running'"), pytest.raises(StoreError):
        await scene.executor.resume_run(1)
    other = scene.other("resume", 1)
    scene.gate.open()
    assert await other.result() == "succeeded"


async def test_a_rollback_that_cannot_be_gone_on_with_is_left_to_others(scene: Scene) -> None:
    run = await scene.run(undone("a", how=IDEMPOTENT))
    with broken(scene, "stages"), pytest.raises(StoreError):
        await scene.executor.trigger_rollback(run.id, "a")
    assert await scene.other("resume", run.id).result() == "succeeded"
    assert scene.rollback(run.id).status is RollbackStatus.SUCCEEDED


@contextmanager
def broken(scene: Scene, what: str) -> Iterator[None]:
    """Nothing of the kind can be written during the block, as on a full disk."""
    write = scene.executor.database.write
    trigger = f"CREATE TRIGGER broken BEFORE UPDATE ON {what} BEGIN SELECT RAISE(FAIL, 'full'); END"
    write(lambda c: c.execute(trigger).close())
    yield
    write(lambda c: c.execute("DROP TRIGGER broken").close())
