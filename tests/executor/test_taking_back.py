"""An executor is killed while its stages go on: the next one takes them back from their host."""

from __future__ import annotations

import fcntl
import os
import signal
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.agents.left_programs import Left
from orchestrate_tui.domain.run import Settlement
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.stagehost.files import SOCKET
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    SCRIPT,
    Other,
    Scene,
    after,
    end_hosts_in,
    hosts_in,
    is_running,
    pipeline,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SLOW = f"echo once >>done; {HOLD}; echo result=7 >$ORCHESTRATE_OUTPUT"
USES_IT = "echo ${stages.a.result} >>done"
SLOW_UNDO = "echo $ORCHESTRATE_STAGE >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"


async def killed_alone(scene: Scene, other: Other) -> None:
    """Wait until a stage says that it runs, and kill its executor, but neither host nor stage."""
    await scene.ready.line()
    other.kill()
    scene.bury(with_processes=False)


async def killed_with_all(scene: Scene, other: Other) -> None:
    """Wait until a stage says that it runs; kill its executor, their host, and the stage."""
    await scene.ready.line()
    other.kill()
    scene.bury()


async def test_a_stage_that_still_runs_is_taken_back(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", SLOW), after("b", "a", task=USES_IT)))
    assert scene.history.run(1).status is RunStatus.INTERRUPTED
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.statuses(1)["a"] == "running")
        scene.gate.open()
    assert scene.history.run(1).status is RunStatus.SUCCEEDED
    assert scene.noted("done") == ["once", "7"]
    assert scene.stage(1, "a").attempt == 1


async def test_a_stage_that_ended_meanwhile_counts_as_it_ended(scene: Scene) -> None:
    other = scene.other_run(
        stage("a", f"{SLOW}; echo $$ >ended"), after("b", "a", task=USES_IT), stage("c", FOREVER)
    )
    await scene.ready.lines(2)
    other.kill()
    scene.bury(with_processes=False)
    scene.gate.open()
    await scene.until_ended("1-a.1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.statuses(1)["b"] == "succeeded")
        await scene.executor.cancel(1)
    assert scene.noted("done") == ["once", "7"]
    assert scene.stage(1, "a").status is StageStatus.SUCCEEDED


async def test_a_failure_that_nobody_saw_fails_the_run(scene: Scene) -> None:
    other = scene.other_run(stage("a", f"{HOLD}; exit 3"), stage("b", HOLD))
    await scene.ready.lines(2)
    other.kill()
    scene.bury(with_processes=False)
    scene.gate.open(2)
    await scene.until_ended("1-a.1")
    await scene.until_ended("1-b.1")
    run = await scene.executor.resume_run(1)
    assert (run.status, run.reason) == (RunStatus.FAILED, "stage 'a' failed: exit code 3")
    assert scene.statuses(1) == {"a": "failed", "b": "succeeded"}


async def test_what_was_taken_back_can_be_cancelled(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    pid = (await scene.ready.line()).split()[1]
    other.kill()
    scene.bury(with_processes=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.statuses(1)["a"] == "running")
        await scene.executor.cancel(1)
    assert not is_running(int(pid))
    assert scene.statuses(1) == {"a": "cancelled"}


async def test_what_was_taken_back_keeps_its_time_limit(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", FOREVER, timeout_s=1.0)))
    run = await scene.executor.resume_run(1)
    assert run.reason == "stage 'a' failed: timed out after 1s"


async def test_an_interrupted_run_that_is_cancelled_ends_its_stages(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    pid = (await scene.ready.line()).split()[1]
    other.kill()
    scene.bury(with_processes=False)
    await scene.executor.cancel(1)
    assert not is_running(int(pid))


async def test_a_stage_is_taken_back_a_second_time(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", SLOW)))
    second = scene.other("resume", 1)
    await second.until(lambda: scene.statuses(1)["a"] == "running")
    second.kill()
    scene.bury(with_processes=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.statuses(1)["a"] == "running")
        scene.gate.open()
    assert scene.noted("done") == ["once"]
    assert scene.statuses(1) == {"a": "succeeded"}


# What is lost


async def test_a_lost_stage_is_not_run_again_without_asking(scene: Scene) -> None:
    await killed_with_all(scene, scene.other_run(stage("a", SLOW)))
    (left,) = await scene.executor.left_stages(1)
    assert (left.stage_name, left.left, left.needs_settlement) == ("a", Left.LOST, True)
    with pytest.raises(Refused, match=r"'a' of run 1.*--stage a --as rerun\|done\|failed"):
        await scene.executor.resume_run(1)
    assert scene.history.run(1).status is RunStatus.INTERRUPTED
    assert scene.noted("done") == ["once"]


async def test_a_lost_stage_that_is_marked_idempotent_runs_again(scene: Scene) -> None:
    task = "echo $ORCHESTRATE_ATTEMPT >>done; echo >ready; [ -e again ] || exec tail -f /dev/null"
    await killed_with_all(scene, scene.other_run(stage("a", task, idempotent=True)))
    (scene.folder / "again").touch()
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.SUCCEEDED
    assert scene.noted("done") == ["1", "2"]


@pytest.mark.parametrize(
    ("settlement", "status", "others"),
    [
        (Settlement.DONE, RunStatus.SUCCEEDED, "succeeded"),
        (Settlement.FAILED, RunStatus.FAILED, "skipped"),
        (Settlement.RERUN, RunStatus.SUCCEEDED, "succeeded"),
    ],
)
async def test_somebody_says_what_became_of_a_lost_stage(
    scene: Scene, settlement: Settlement, status: RunStatus, others: str
) -> None:
    task = "echo >ready; [ -e again ] || exec tail -f /dev/null"
    await killed_with_all(scene, scene.other_run(stage("a", task), after("b", "a")))
    (scene.folder / "again").touch()
    run = await scene.executor.resume_run(1, settled={"a": settlement}, actor="ann")
    assert run.status is status
    assert scene.statuses(1)["b"] == others
    if settlement is not Settlement.RERUN:
        assert scene.stage(1, "a").reason == f"marked {settlement} by ann"


@pytest.mark.parametrize(
    ("says", "becomes"),
    [
        (Settlement.DONE, "succeeded"),
        (Settlement.FAILED, "failed"),
        (Settlement.RERUN, "cancelled"),
    ],
)
async def test_each_of_several_lost_stages_ends_as_somebody_says(
    scene: Scene, says: Settlement, becomes: str
) -> None:
    other = scene.other_run(stage("a", FOREVER), stage("b", FOREVER), after("c", "b"))
    await scene.ready.line()
    await killed_with_all(scene, other)
    settled = {"a": Settlement.FAILED, "b": says}
    run = await scene.executor.resume_run(1, settled=settled)
    assert run.status is RunStatus.FAILED
    assert scene.statuses(1) == {"a": "failed", "b": becomes, "c": "skipped"}


async def test_a_stage_marked_failed_is_rolled_back_as_its_pipeline_says(scene: Scene) -> None:
    lost = undone("a", FOREVER, on_failure="rollback")
    await killed_with_all(scene, scene.other_run(lost))
    await scene.executor.resume_run(1, settled={"a": Settlement.FAILED})
    assert scene.statuses(1) == {"a": "rolled_back"}
    assert scene.noted("undone") == ["a"]


async def test_only_a_stage_that_is_lost_is_settled(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", HOLD), after("b", "a")))
    with pytest.raises(Refused, match="'b' of run 1 was not interrupted"):
        await scene.executor.resume_run(1, settled={"b": Settlement.DONE})
    with pytest.raises(Refused, match="'a' of run 1 still runs"):
        await scene.executor.resume_run(1, settled={"a": Settlement.DONE})
    await scene.executor.cancel(1)


async def test_nothing_of_an_earlier_start_of_the_system_is_taken_for_alive(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", FOREVER)))
    (journal,) = scene.history.files.hosts.glob("*/journal")
    boot = scene.executor.database.read(
        lambda c: c.execute("SELECT boot_id FROM owners ORDER BY epoch DESC").fetchone()[0]
    )
    journal.write_text(journal.read_text().replace(boot, "an-earlier-one"))
    (left,) = await scene.executor.left_stages(1)
    assert left.left is Left.LOST
    scene.bury()


# Rollbacks


async def test_an_undo_that_still_runs_is_taken_back(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=SLOW_UNDO), undone("b", "true", "a"))
    other = scene.other("rollback", run.id, "b", "a")
    await scene.ready.line()
    other.kill()
    scene.bury(with_processes=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, run.id)
        await scene.hub.until(lambda: scene.steps(1)["a"] == "running")
        scene.gate.open()
    assert scene.history.rollback(1).status is RollbackStatus.SUCCEEDED
    assert scene.noted("undone") == ["b", "a"]


# The host


async def test_the_host_of_a_killed_executor_ends_with_its_last_stage(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", HOLD)))
    (lock,) = scene.history.files.hosts.glob("*/lock")
    scene.gate.open()
    await anyio.to_thread.run_sync(wait_for_lock, lock)


def wait_for_lock(path: Path) -> None:
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


async def test_stages_are_taken_back_from_every_host_of_a_dead_executor(scene: Scene) -> None:
    service = replace(SCRIPT, name="service", leaves_processes=True)
    own, others = stage("a", HOLD), stage("b", HOLD, agent="service")
    other = scene.other_run(own, others, agents=(SCRIPT, service))
    await scene.ready.lines(2)
    other.kill()
    scene.bury(with_processes=False)
    hosts = scene.history.files.hosts
    assert len(list(hosts.glob("*/lock"))) == 2
    async with (
        PipelineExecutor(scene.executor.database) as second,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(second.resume_run, 1)
        scene.gate.open(2)
    assert scene.history.run(1).status is RunStatus.SUCCEEDED
    for lock in hosts.glob("*/lock"):
        await anyio.to_thread.run_sync(wait_for_lock, lock)
    PipelineExecutor(scene.executor.database).close()
    assert list(hosts.iterdir()) == []


async def test_a_stage_whose_host_is_killed_fails_and_is_ended(scene: Scene) -> None:
    async with anyio.create_task_group() as tasks:
        run_id = await scene.create(stage("a", FOREVER))
        tasks.start_soon(scene.executor.execute_run, run_id)
        pid = (await scene.ready.line()).split()[1]
        (host,) = hosts_in(scene.history.files.hosts)
        os.kill(host, signal.SIGKILL)
    assert not is_running(int(pid))
    assert "its stage host is gone" in scene.history.run(run_id).reason
    run = await scene.run(stage("b"))
    assert run.status is RunStatus.SUCCEEDED


async def test_what_an_ended_stage_left_is_ended_although_its_host_is_gone(scene: Scene) -> None:
    other = scene.other_run(stage("a", "tail -f /dev/null & echo $! >ready; read go <gate"))
    pid = await scene.ready.line()
    os.kill(other.pid, signal.SIGSTOP)  # the host leaves to it what is left
    scene.gate.open()
    await scene.until_ended("1-a.1")
    end_hosts_in(scene.history.files.hosts)
    other.kill()
    scene.bury(with_processes=False)
    assert (await scene.executor.resume_run(1)).status is RunStatus.SUCCEEDED
    assert not is_running(pid)


async def test_hosts_are_forgotten_when_nothing_can_ask_for_them(scene: Scene) -> None:
    await killed_alone(scene, scene.other_run(stage("a", HOLD)))
    hosts = scene.history.files.hosts
    async with PipelineExecutor(scene.executor.database) as second:
        run_id = await second.create_run(pipeline(stage("b")), workdir=scene.folder)
        await second.execute_run(run_id)
        assert len(list(hosts.iterdir())) == 2
    assert len(list(hosts.iterdir())) == 1
    async with (
        PipelineExecutor(scene.executor.database) as third,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(third.resume_run, 1)
        scene.gate.open()
    for lock in hosts.glob("*/lock"):
        await anyio.to_thread.run_sync(wait_for_lock, lock)
    PipelineExecutor(scene.executor.database).close()
    assert list(hosts.iterdir()) == []


async def test_the_host_is_started_before_the_first_program_is_asked_for(scene: Scene) -> None:
    socket = scene.history.files.host(scene.executor.epoch) / SOCKET
    await scene.executor.create_run(pipeline(stage("a", agent="nothing")))
    await scene.executor.create_run(pipeline(stage("a")), simulated=True)
    assert not socket.exists()
    await scene.executor.create_run(pipeline(stage("a")))
    assert socket.is_socket()
