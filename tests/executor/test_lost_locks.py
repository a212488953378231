"""An owner that lives although its lock is not held: it was removed, or the database is a copy."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.recovery import mark_interrupted
from tests.executor.scenery import FOREVER, HOLD, Other, Scene, is_running, stage, undone

pytestmark = pytest.mark.anyio


async def owner_of(scene: Scene, run_id: int) -> int:
    epoch = scene.history.run(run_id).epoch
    assert epoch is not None
    return epoch


def remove_locks(scene: Scene) -> None:
    """Remove those of the other process, not those of this one."""
    for file in scene.executor.database.files.owners.iterdir():
        if not file.name.startswith(f"{scene.executor.epoch}."):
            file.unlink()


def stop(other: Other) -> None:
    os.kill(other.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, other.pid, os.WSTOPPED)


async def test_an_owner_whose_lock_was_removed_makes_it_anew(scene: Scene) -> None:
    other = scene.other_run(stage("a", HOLD))
    await scene.ready.line()
    epoch, files = await owner_of(scene, 1), scene.executor.database.files
    remove_locks(scene)
    while not is_alive(files, epoch):
        await anyio.lowlevel.checkpoint()
    assert files.starting_lock(epoch).exists()
    with pytest.raises(Refused, match=r"Run 1 is running; only an interrupted one is resumed"):
        await scene.executor.resume_run(1)
    scene.gate.open()
    assert await other.result() == "succeeded"
    assert not is_alive(files, epoch)


async def test_nobody_is_taken_for_dead_because_a_lock_was_removed(scene: Scene) -> None:
    other = scene.other_run(stage("a", HOLD))
    await scene.ready.line()
    stop(other)  # so that it cannot make it anew
    remove_locks(scene)
    assert mark_interrupted(scene.executor.database, utc_now()) == ()
    with pytest.raises(Refused, match=r"Run 1 is running; only an interrupted one is resumed"):
        await scene.executor.resume_run(1)
    os.kill(other.pid, signal.SIGCONT)
    scene.gate.open()
    assert await other.result() == "succeeded"
    assert scene.starts(1) == ["a"]


async def test_a_rollback_is_not_taken_because_a_lock_was_removed(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=HOLD))
    other = scene.other("rollback", run.id, "a", "a")
    await scene.ready.line()
    stop(other)
    remove_locks(scene)
    with pytest.raises(Refused, match=r"still works on it: only the lock .* was removed"):
        await scene.executor.resume_run(run.id)
    os.kill(other.pid, signal.SIGCONT)
    scene.gate.open()
    assert await other.result() == "succeeded"


async def test_what_runs_is_not_touched_from_a_copy_of_its_database(
    scene: Scene, tmp_path: Path
) -> None:
    other = scene.other_run(stage("a", FOREVER))
    pid = (await scene.ready.line()).split()[1]
    files = scene.executor.database.files
    copy = tmp_path / "copied" / files.database.name
    shutil.copytree(files.database.parent, copy.parent, ignore=shutil.ignore_patterns("socket"))
    async with PipelineExecutor(copy) as executor:
        for what in (executor.cancel, executor.resume_run):
            with pytest.raises(Refused, match=f"at {files.database}: {copy} is a copy of that"):
                await what(1)
        stop(other)
        with pytest.raises(Refused, match=rf"stopped: {copy} is a copy.*kill -CONT {other.pid}"):
            await executor.resume_run(1, take_over="it hangs")
        os.kill(other.pid, signal.SIGCONT)
        assert is_running(pid)
        assert scene.stage(1, "a").status is StageStatus.RUNNING
        await scene.executor.cancel(1)
        assert await other.result() == "cancelled"
        await executor.cancel(1)
        assert executor._records.run(1).status is RunStatus.CANCELLED


async def test_what_runs_is_not_started_again_from_a_copy_of_what_is_recorded(
    scene: Scene, tmp_path: Path
) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    database = scene.executor.database.path
    copy = tmp_path / "copied" / database.name
    without = shutil.ignore_patterns("*.owners", "*.hosts")  # nothing says what was started
    shutil.copytree(database.parent, copy.parent, ignore=without)
    other.kill()
    scene.bury(with_processes=False)
    async with PipelineExecutor(copy) as executor:
        with pytest.raises(Refused, match="Nobody knows how far 'a' of run 1 came"):
            await executor.resume_run(1)
