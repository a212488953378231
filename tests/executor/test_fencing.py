"""A session whose run was taken over, or that cannot write, stops and says so."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing, suppress
from functools import partial

import anyio
import pytest

from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import (
    Fenced,
    OrchestrateError,
    Refused,
    StaleTransition,
    StoreError,
)
from orchestrate_tui.store import open_database
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.recovery import interrupt
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    NOON,
    ROLLBACK,
    Scene,
    after,
    asking,
    break_writing,
    is_running,
    mend_writing,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SLOW_UNDO = "echo $ORCHESTRATE_STAGE >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"


def take_over(scene: Scene) -> None:
    """Pretend that another executor went on with everything."""

    def change(connection: Connection) -> None:
        connection.execute("UPDATE runs SET epoch = 99")
        connection.execute("UPDATE rollback_events SET epoch = 99")

    scene.executor.database.write(change)


def take_for_dead(scene: Scene, run_id: int) -> None:
    """Have somebody mark a run as interrupted although its executor lives."""
    mark = partial(
        interrupt, run_id=run_id, epoch=scene.executor.epoch, expected=RunStatus.RUNNING,
        reason="its executor died", at=NOON,
    )  # fmt: skip
    with open_database(scene.executor.database.path) as database:
        database.write(mark)


def record(scene: Scene, sql: str) -> None:
    """Have another program change a row."""
    with closing(sqlite3.connect(scene.executor.database.path)) as connection, connection:
        connection.execute(sql)


async def fails(scene: Scene, run_id: int) -> OrchestrateError:
    with pytest.raises(OrchestrateError) as caught:
        await scene.executor.execute_run(run_id)
    return caught.value


async def fails_to_roll_back(scene: Scene, run_id: int) -> OrchestrateError:
    with pytest.raises(OrchestrateError) as caught:
        await scene.executor.trigger_rollback(run_id, "b", "a")
    return caught.value


async def test_a_run_that_was_taken_over_is_let_go(scene: Scene) -> None:
    run_id = await scene.create(stage("slow", FOREVER), stage("a", HOLD), after("b", "a"))
    errors: list[OrchestrateError] = []

    async def work() -> None:
        errors.append(await fails(scene, run_id))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        lines = await scene.ready.lines(2)
        take_over(scene)
        scene.gate.open()
    (pid,) = (line.split()[1] for line in lines if line.startswith("slow"))
    assert isinstance(errors[0], StaleTransition)
    assert is_running(pid)  # it is the other executor's by now
    os.kill(int(pid), signal.SIGKILL)
    assert scene.executor.active == ()
    statuses = scene.executor.database.read(
        lambda c: dict(tuple(row) for row in c.execute("SELECT stage_name, status FROM stages"))
    )
    assert statuses == {"slow": "running", "a": "running", "b": "pending"}


async def test_who_waits_for_an_approval_and_is_taken_for_dead_lets_go_of_the_run(
    scene: Scene,
) -> None:
    run_id = await scene.create(stage("ship", approval=asking("root")))
    errors = []
    async with anyio.create_task_group() as tasks:

        async def work() -> None:
            errors.append(await fails(scene, run_id))

        tasks.start_soon(work)
        await scene.until(run_id, "ship", StageStatus.WAITING_APPROVAL)
        take_for_dead(scene, run_id)
    assert isinstance(errors[0], Fenced)
    assert f"Run {run_id} is interrupted (its executor died): somebody else has" in str(errors[0])
    assert scene.executor.active == ()
    assert scene.history.run(run_id).epoch is None  # anybody may go on with it
    assert await scene.executor.cancel(run_id) == f"Run {run_id} is cancelled"


async def test_what_runs_of_a_run_whose_executor_was_taken_for_dead_is_left_to_be_taken_back(
    scene: Scene,
) -> None:
    run_id = await scene.create(stage("a", HOLD), stage("slow", FOREVER))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fails, scene, run_id)
        lines = await scene.ready.lines(2)
        take_for_dead(scene, run_id)
    (pid,) = (line.split()[1] for line in lines if line.startswith("slow"))
    assert is_running(pid)
    assert scene.statuses(run_id) == {"a": "interrupted", "slow": "interrupted"}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, run_id)
        await scene.until(run_id, "slow", StageStatus.RUNNING)
        scene.gate.open()
        await scene.until(run_id, "a", StageStatus.SUCCEEDED)
        await scene.executor.cancel(run_id)
    assert not is_running(pid)
    assert scene.starts(run_id).count("slow") == 2  # the second is where it was taken back


async def test_what_runs_of_a_run_that_was_let_go_keeps_its_time_limit(scene: Scene) -> None:
    run_id = await scene.create(
        stage("slow", FOREVER, timeout_s=2.0), stage("long", FOREVER), fail_fast=True
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fails, scene, run_id)
        lines = await scene.ready.lines(2)
        take_for_dead(scene, run_id)
    pids = dict(line.split() for line in lines)
    await scene.until_ended(f"{run_id}-slow.1")
    assert not is_running(pids["slow"])
    assert is_running(pids["long"])
    run = await scene.executor.resume_run(run_id)
    assert run.reason == "stage 'slow' failed: timed out after 2s"


async def test_an_undo_in_a_run_whose_executor_was_taken_for_dead_runs_on(scene: Scene) -> None:
    run_id = await scene.create(undone("a", undo=FOREVER), after("slow", "a", task=HOLD))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fails, scene, run_id)
        await scene.ready.line()
        tasks.start_soon(roll_back, scene, run_id)
        pid = (await scene.ready.line()).split()[1]
        take_for_dead(scene, run_id)
    assert is_running(pid)
    os.kill(int(pid), signal.SIGKILL)


async def roll_back(scene: Scene, run_id: int) -> None:
    with suppress(OrchestrateError):
        await scene.executor.trigger_rollback(run_id, "slow", "a")


async def test_a_run_that_another_program_has_ended_is_let_go_and_nothing_of_it_runs_on(
    scene: Scene,
) -> None:
    run_id = await scene.create(stage("slow", FOREVER))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fails, scene, run_id)
        pid = (await scene.ready.line()).split()[1]
        record(scene, "UPDATE runs SET status = 'failed'")
    assert scene.executor.active == ()
    assert not is_running(pid)
    assert scene.history.run(run_id).status is RunStatus.FAILED


async def test_a_rollback_that_another_program_has_ended_goes_no_further(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a", undo=SLOW_UNDO))
    errors = []

    async def roll_back() -> None:
        errors.append(await fails_to_roll_back(scene, run.id))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(roll_back)
        await scene.ready.line()
        record(scene, "UPDATE rollback_events SET status = 'failed'")
    assert isinstance(errors[0], Fenced)
    assert "Rollback 1 failed: somebody else has recorded that" in str(errors[0])
    assert scene.executor.active == ()
    assert scene.undone() == []


async def test_a_rollback_in_a_running_run_that_another_program_has_ended_goes_no_further(
    scene: Scene,
) -> None:
    run_id = await scene.create(undone("a", undo=SLOW_UNDO), after("slow", "a", task=HOLD))
    errors = []

    async def work() -> None:
        errors.append(str(await fails(scene, run_id)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await scene.ready.line()
        tasks.start_soon(scene.executor.trigger_rollback, run_id, "slow", "a")
        await scene.ready.line()
        record(scene, "UPDATE rollback_events SET status = 'failed'")
    assert "Rollback 1 failed: somebody else has recorded that" in errors[0]
    assert scene.executor.active == ()
    assert scene.undone() == []


async def test_a_decision_on_a_run_that_was_taken_over_is_not_kept(scene: Scene) -> None:
    run_id = await scene.create(stage("ship", approval=asking("root", "daemon")))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fails, scene, run_id)
        await scene.until(run_id, "ship", StageStatus.WAITING_APPROVAL)
        take_over(scene)
        with pytest.raises(Refused, match=f"Run {run_id} is interrupted"):
            await scene.executor.approve(run_id, "ship", actor="root")
    assert scene.history.approvals(run_id) == ()


async def test_a_rollback_that_was_taken_over_goes_no_further(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a", undo=SLOW_UNDO))
    errors = []

    async def roll_back() -> None:
        errors.append(await fails_to_roll_back(scene, run.id))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(roll_back)
        await scene.ready.line()
        take_over(scene)
        scene.gate.open()
    assert isinstance(errors[0], StaleTransition)
    await scene.until_ended(f"{run.id}-b-rollback-1.1")
    assert scene.undone() == ["b"]
    assert scene.steps(1) == {"b": "interrupted", "a": "pending"}


async def test_a_run_that_cannot_be_written_is_left_as_interrupted_and_resumed(
    scene: Scene,
) -> None:
    run_id = await scene.create(stage("a"), after("b", "a"))
    break_writing(scene)
    error = await fails(scene, run_id)
    assert isinstance(error, StoreError)
    run = scene.history.run(run_id)
    assert run.status is RunStatus.INTERRUPTED
    assert "disk is full" in run.reason
    assert scene.statuses(run_id) == {"a": "interrupted", "b": "pending"}
    mend_writing(scene)
    resumed = await scene.executor.resume_run(run_id)
    assert resumed.status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("how", ["resumed", "cancelled"])
async def test_a_run_that_was_given_up_without_a_record_is_not_lost_to_its_own_executor(
    scene: Scene, how: str
) -> None:
    run_id = await scene.create(stage("a"), after("b", "a"))
    break_writing(scene)
    record(
        scene,
        "CREATE TRIGGER silent BEFORE UPDATE ON runs WHEN NEW.status = 'interrupted'"
        " BEGIN SELECT RAISE(FAIL, 'disk is full'); END",
    )
    await fails(scene, run_id)
    assert scene.history.run(run_id).status is RunStatus.RUNNING
    mend_writing(scene)
    record(scene, "DROP TRIGGER silent")
    if how == "resumed":
        assert (await scene.executor.resume_run(run_id)).status is RunStatus.SUCCEEDED
    else:
        await scene.executor.cancel(run_id)
        assert scene.history.run(run_id).status is RunStatus.CANCELLED


async def test_what_a_stage_put_out_is_known_although_its_end_was_written_late(
    scene: Scene,
) -> None:
    put_out = 'echo v=1 >>"$ORCHESTRATE_OUTPUT"'
    run_id = await scene.create(stage("a", put_out), after("b", "a", task="test ${stages.a.v} = 1"))
    break_writing(scene)
    await fails(scene, run_id)
    mend_writing(scene)
    resumed = await scene.executor.resume_run(run_id)
    assert resumed.status is RunStatus.SUCCEEDED
    assert scene.starts(run_id) == ["a", "a", "b"]  # the second is where it was taken back


async def test_a_rollback_that_cannot_be_written_is_resumed_by_the_same_executor(
    scene: Scene,
) -> None:
    run = await scene.run(undone("a", undo="true", how={"idempotent": True}))
    scene.executor.database.write(
        lambda c: c.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON stages"
            " BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        ).close()
    )
    with pytest.raises(StoreError):
        await scene.executor.trigger_rollback(run.id, "a")
    scene.executor.database.write(lambda c: c.execute("DROP TRIGGER broken").close())
    await scene.executor.resume_run(run.id)
    assert scene.rollback(run.id).status.value == "succeeded"


async def test_other_runs_go_on_when_one_cannot(scene: Scene) -> None:
    lost = await scene.create(stage("a", HOLD, on_failure=ROLLBACK))
    async with scene.running(stage("x", HOLD)) as well:
        await scene.ready.line()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fails, scene, lost)
            await scene.ready.line()
            scene.executor.database.write(
                lambda c: c.execute("UPDATE runs SET epoch = 99 WHERE id = ?", (lost,))
            )
            scene.gate.open(2)
    assert scene.ended[well].status is RunStatus.SUCCEEDED
