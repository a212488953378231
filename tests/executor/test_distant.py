"""A console that asks the executors of another account."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from orchestrate_tui.errors import Refused
from orchestrate_tui.executor import distant
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.executor.lines import listener_at
from orchestrate_tui.store.database import StoreFiles
from tests.executor.scenery import FOREVER, HOLD, Scene, stage, undone

pytestmark = pytest.mark.anyio


async def begun(followed: Future[Any]) -> None:
    while not followed.running():  # noqa: ASYNC110  (nobody tells)
        await anyio.sleep(0.001)


async def refusal_of(followed: Future[Any]) -> BaseException | None:
    return await anyio.to_thread.run_sync(lambda: followed.exception(timeout=60))


async def test_a_console_that_closes_does_not_wait_for_the_runs_that_it_follows(
    scene: Scene, path: Path
) -> None:
    async with scene.running(stage("a", FOREVER)) as run_id:
        await scene.ready.line()
        with DistantControl(path) as control:
            followed = control.follow_run(run_id)
            await begun(followed)
        assert isinstance(await refusal_of(followed), Refused)
        await scene.executor.cancel(run_id)


async def test_a_console_that_closes_does_not_wait_for_the_rollbacks_that_it_follows(
    scene: Scene, path: Path
) -> None:
    run = await scene.run(undone("a", undo=HOLD))
    async with anyio.create_task_group() as group:
        group.start_soon(scene.executor.trigger_rollback, run.id, "a", "a")
        await scene.ready.line()
        with DistantControl(path) as control:
            followed = control.follow_rollback(scene.rollback(run.id).id or 0)
            await begun(followed)
        assert isinstance(await refusal_of(followed), Refused)
        scene.gate.open()


def test_an_executor_that_hangs_is_asked_once_and_not_for_long_what_is_protected(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distant, "_GREETING_S", 0.05)
    sockets = StoreFiles(path).sockets
    sockets.mkdir(parents=True)
    path.touch()
    with (
        closing(listener_at(StoreFiles(path).socket(1), group_id=None, backlog=4)) as hanging,
        DistantControl(path) as control,
    ):
        for _ in range(2):
            control.greet().result(20)
        hanging.setblocking(False)
        hanging.accept()[0].close()
        with pytest.raises(BlockingIOError):
            hanging.accept()
