from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.domain.status import ENDED_RUNS, RunStatus, StageStatus
from orchestrate_tui.errors import NotFound, Refused
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    ROLLBACK,
    Scene,
    after,
    asking,
    is_running,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

TREE = "sh -c 'echo tree $$ >ready; exec tail -f /dev/null' & echo head $$ >ready; wait"
STUBBORN_UNDO = {"undo": "echo undoing >ready; read go <gate; echo done >>undone"}


@asynccontextmanager
async def cancellable(
    work: Callable[..., Awaitable[object]], *arguments: object, native: bool
) -> AsyncIterator[Callable[[], object]]:
    """Work that the block may cancel, as anyio or as asyncio does, and that it waits for."""

    async def call() -> None:
        tasks.append(asyncio.current_task())
        await work(*arguments)

    tasks: list[asyncio.Task[object] | None] = []
    with anyio.CancelScope() as outer:
        async with anyio.create_task_group() as group:
            group.start_soon(call)

            def cancel() -> None:
                (task,) = tasks
                if native and task is not None:
                    task.cancel()
                else:
                    outer.cancel()

            with anyio.CancelScope(shield=True):
                yield cancel


async def test_cancelling_ends_every_process_of_every_stage(scene: Scene) -> None:
    async with scene.running(stage("a", TREE), after("b", "a")) as run_id:
        pids = [line.split()[1] for line in await scene.ready.lines(2)]
        answer = await scene.executor.cancel(run_id, actor="ann")
        assert answer == f"Run {run_id} is being cancelled"
    assert not any(map(is_running, pids))
    run = scene.ended[run_id]
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "cancelled by ann")
    assert scene.statuses(run_id) == {"a": "cancelled", "b": "skipped"}
    assert scene.reasons(run_id) == {
        "a": "cancelled by ann", "b": "not started: cancelled by ann",
    }  # fmt: skip


async def test_cancelling_ends_retry_delays_and_approvals_at_once(scene: Scene) -> None:
    async with scene.running(
        stage("flaky", "exit 1", retry=Retry(attempts=2, delay_s=3600)),
        stage("ship", approval=asking("root")),
    ) as run_id:
        await scene.until(run_id, "flaky", StageStatus.RETRYING)
        await scene.executor.cancel(run_id)
    assert scene.ended[run_id].status is RunStatus.CANCELLED
    assert scene.statuses(run_id) == {"flaky": "cancelled", "ship": "skipped"}


async def test_a_cancelled_stage_rolls_nothing_back(scene: Scene) -> None:
    async with scene.running(undone("a", FOREVER, on_failure=ROLLBACK)) as run_id:
        await scene.ready.line()
        await scene.executor.cancel(run_id)
    assert scene.history.rollbacks(run_id) == ()


async def test_a_run_that_was_not_begun_can_be_cancelled(scene: Scene) -> None:
    run_id = await scene.create(stage("a"))
    assert await scene.executor.cancel(run_id, actor="ann") == f"Run {run_id} is cancelled"
    assert scene.history.run(run_id).status is RunStatus.CANCELLED
    with pytest.raises(Refused, match="was cancelled and cannot be started"):
        await scene.executor.execute_run(run_id)


async def test_nothing_else_can_be_asked_of_a_run_that_was_not_begun(scene: Scene) -> None:
    run_id = await scene.create(stage("a", approval=asking("root")))
    with pytest.raises(Refused, match="has not been started"):
        await scene.executor.approve(run_id, "a", actor="root")
    with pytest.raises(Refused, match="has not been started"):
        await scene.executor.trigger_rollback(run_id, "a")


async def test_a_run_that_has_ended_cannot_be_cancelled(scene: Scene) -> None:
    run = await scene.run(stage("a"))
    with pytest.raises(Refused, match=f"Run {run.id} has ended: it succeeded"):
        await scene.executor.cancel(run.id)


async def test_an_unknown_run_is_not_found(scene: Scene) -> None:
    for ask in (scene.executor.cancel, scene.executor.execute_run, scene.executor.resume_run):
        with pytest.raises(NotFound, match="There is no run 7"):
            await ask(7)


async def test_a_run_is_executed_once(scene: Scene) -> None:
    async with scene.running(stage("a", HOLD)) as run_id:
        await scene.ready.line()
        with pytest.raises(Refused, match="is running and cannot be started"):
            await scene.executor.execute_run(run_id)
        scene.gate.open()
    with pytest.raises(Refused, match="succeeded and cannot be started"):
        await scene.executor.execute_run(run_id)


async def test_the_same_run_is_not_executed_twice_at_the_same_time(scene: Scene) -> None:
    run_id = await scene.create(stage("a"))
    refused = []

    async def execute() -> None:
        try:
            await scene.executor.execute_run(run_id)
        except Refused as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(execute)
        tasks.start_soon(execute)
    assert len(refused) == 1
    assert scene.statuses(run_id) == {"a": "succeeded"}


async def test_what_is_asked_while_a_run_ends_is_answered(scene: Scene) -> None:
    run_id = await scene.create(stage("a", agent="nothing"))
    answers: list[str] = []

    async def cancel_at_once() -> None:
        while scene.history.run(run_id).status not in ENDED_RUNS:
            try:
                answers.append(await scene.executor.cancel(run_id))
            except Refused as error:
                answers.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.execute_run, run_id)
        while scene.history.run(run_id).status is not RunStatus.RUNNING:
            await anyio.lowlevel.checkpoint()
        tasks.start_soon(cancel_at_once)
    assert answers


async def test_cancelling_the_call_cancels_the_run_and_waits_for_its_end(scene: Scene) -> None:
    run_id = await scene.create(stage("a", TREE))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.execute_run, run_id)
        pids = [line.split()[1] for line in await scene.ready.lines(2)]
        tasks.cancel_scope.cancel()
    assert not any(map(is_running, pids))
    run = scene.history.run(run_id)
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "cancelled with its executor")


async def test_cancelling_the_asyncio_task_cancels_the_run_too(scene: Scene) -> None:
    run_id = await scene.create(stage("a", TREE))
    task = asyncio.create_task(scene.executor.execute_run(run_id))
    pids = [line.split()[1] for line in await scene.ready.lines(2)]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(map(is_running, pids))
    assert scene.history.run(run_id).status is RunStatus.CANCELLED


async def test_a_call_that_is_cancelled_before_it_began_leaves_a_cancelled_run(
    scene: Scene,
) -> None:
    run_id = await scene.create(stage("a", "echo ran >ran"), after("b", "a"))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await scene.executor.execute_run(run_id)
    assert scene.history.run(run_id).status is RunStatus.CANCELLED
    assert not (scene.folder / "ran").exists()


@pytest.mark.parametrize("native", [True, False])
async def test_a_rollback_is_finished_though_the_call_is_cancelled(
    scene: Scene, *, native: bool
) -> None:
    run_id = await scene.create(undone("a", "exit 1", on_failure=ROLLBACK, **STUBBORN_UNDO))
    async with cancellable(scene.executor.execute_run, run_id, native=native) as cancel:
        await scene.ready.line()
        cancel()
        with pytest.raises(Refused, match="cannot be cancelled"):
            await scene.executor.cancel(run_id)
        scene.gate.open()
    assert scene.undone() == ["done"]
    assert scene.history.run(run_id).status is RunStatus.FAILED
    assert scene.rollback(run_id).status.value == "succeeded"


@pytest.mark.parametrize("native", [True, False])
async def test_a_manual_rollback_is_finished_though_the_call_is_cancelled(
    scene: Scene, *, native: bool
) -> None:
    run = await scene.run(undone("a", **STUBBORN_UNDO))
    trigger = partial(scene.executor.trigger_rollback, run.id, "a")
    async with cancellable(trigger, native=native) as cancel:
        await scene.ready.line()
        cancel()
        scene.gate.open()
    assert scene.rollback(run.id).status.value == "succeeded"
    assert scene.statuses(run.id) == {"a": "rolled_back"}


async def test_a_rollback_that_is_recorded_is_carried_out_whatever_happens(scene: Scene) -> None:
    run = await scene.run(undone("a"))
    with anyio.CancelScope() as scope:
        await scene.executor.trigger_rollback(run.id, "a", accepted=lambda _: scope.cancel())
    assert scene.rollback(run.id).status.value == "succeeded"
    assert scene.undone() == ["a"]


async def test_during_a_rollback_a_cancellation_is_refused_naming_the_halt(scene: Scene) -> None:
    async with scene.running(undone("a", "exit 1", on_failure=ROLLBACK, **STUBBORN_UNDO)) as run_id:
        await scene.ready.line()
        event = scene.rollback(run_id)
        with pytest.raises(Refused, match=rf"orchestrate-tui rollback-step {event.id} halt"):
            await scene.executor.cancel(run_id)
        scene.gate.open()
    async with anyio.create_task_group() as tasks:
        other = await scene.run(undone("a", **STUBBORN_UNDO))
        tasks.start_soon(scene.executor.trigger_rollback, other.id, "a")
        await scene.ready.line()
        event = scene.rollback(other.id)
        with pytest.raises(Refused, match=rf"orchestrate-tui rollback-step {event.id} halt"):
            await scene.executor.cancel(other.id)
        scene.gate.open()
