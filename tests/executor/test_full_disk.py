from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import NoRoom
from orchestrate_tui.executor.room import Room
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.trouble import TroubleMark, trouble_at
from tests.executor.scenery import FOREVER, HOLD, Scene, after, is_running, stage
from tests.small_disk import fill, small_disk

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A database, and its logs, on a small disk."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder / "store.db"


@pytest.fixture
def log_disk(scene: Scene) -> Iterator[Path]:
    """A small disk on which nothing but logs lies."""
    runs = scene.executor.database.files.runs
    runs.rmdir()
    with small_disk(runs) as folder:
        yield folder


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[TroubleMark]:
    opened = TroubleMark(tmp_path / "store.db.consoles")
    yield opened
    opened.close()


async def until(holds: Callable[[], object]) -> None:
    with anyio.fail_after(30):
        while not holds():  # noqa: ASYNC110  (nobody tells)
            await anyio.sleep(0.01)


async def test_a_cancelled_run_stops_at_once_although_the_disk_is_full(
    scene: Scene, path: Path
) -> None:
    serving = stage("serve", FOREVER, depends_on=())
    async with scene.running(stage("wait", HOLD), serving, after("next", "wait")) as run_id:
        said = await scene.ready.lines(2)
        (pid,) = (line.split()[1] for line in said if line.startswith("serve"))
        filler = fill(path.parent, path)
        scene.gate.open()
        await until(lambda: scene.executor.trouble)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scene.executor.cancel, run_id)
            await until(lambda: not is_running(pid))
            assert scene.history.run(run_id).status is RunStatus.RUNNING
            filler.unlink()
    assert scene.ended[run_id].status is RunStatus.CANCELLED
    statuses = scene.statuses(run_id)
    assert statuses == {"wait": "succeeded", "serve": "cancelled", "next": "cancelled"}


async def test_what_cannot_be_left_for_another_process_is_refused_at_once(
    scene: Scene, path: Path
) -> None:
    scene.other_run(stage("a", FOREVER))  # without a command around it, it listens to nobody
    await scene.ready.line()
    filler = fill(path.parent, path)
    with pytest.raises(NoRoom, match=r"is full.*Nothing of this change was kept"):
        await scene.executor.cancel(1)
    filler.unlink()
    assert await scene.executor.cancel(1) == "Run 1 is being cancelled"


async def test_nothing_starts_without_room_for_its_log(tmp_path: Path) -> None:
    with small_disk(tmp_path / "logs") as folder:
        mark = TroubleMark(folder / "store.db.consoles")
        room = Room(folder, mark)
        started: list[str] = []

        async def start() -> None:
            started.append("it")

        filler = fill(folder)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(room.start, start))
            await until(lambda: room.trouble)
            assert "no room for logs" in room.trouble
            assert trouble_at(StoreFiles(folder / "store.db")) == (
                f"The disk is full: there is no room for logs in {folder}/store.db.runs"
            )
            assert started == []
            filler.unlink()
        assert (started, room.trouble) == (["it"], "")
        assert trouble_at(StoreFiles(folder / "store.db")) == ""
        mark.close()


async def test_what_finds_the_disk_full_when_it_starts_is_started_again(
    tmp_path: Path, mark: TroubleMark
) -> None:
    errors = [OSError(28, "No space left on device"), OSError(122, "Disk quota exceeded")]

    async def start() -> str:
        if errors:
            raise errors.pop()
        return "started"

    assert await Room(tmp_path, mark).start(start) == "started"


async def test_another_error_of_a_start_is_not_waited_for(
    tmp_path: Path, mark: TroubleMark
) -> None:
    async def start() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(FileNotFoundError):
        await Room(tmp_path, mark).start(start)


FLOOD = "head -c 3000000 /dev/zero || true"
MAY_LACK = "its log may lack output: the disk had no room for it"


async def test_of_a_stage_that_went_well_it_is_told_that_its_log_may_lack_output(
    scene: Scene, log_disk: Path
) -> None:
    run = await scene.run(stage("flood", FLOOD))
    assert run.status is RunStatus.SUCCEEDED
    assert scene.reasons(run.id) == {"flood": MAY_LACK}
    assert (log_disk / "1" / "flood.1.log").stat().st_size < 3_000_000


async def test_so_it_is_when_there_is_room_again_before_the_stage_ends(
    scene: Scene, log_disk: Path
) -> None:
    log = log_disk / "1" / "flood.1.log"
    async with scene.running(stage("flood", f"{FLOOD}; {HOLD}")) as run_id:
        await scene.ready.line()
        room = scene.executor._context.room
        await until(lambda: room.full_at_s > 0)
        os.truncate(log, 0)
        scene.gate.open()
    assert scene.reasons(run_id) == {"flood": MAY_LACK}
    assert log.read_text() == f"orchestrate-tui: {MAY_LACK}\n"


async def test_what_only_waited_for_room_for_its_log_lacks_nothing(
    scene: Scene, log_disk: Path
) -> None:
    filler = fill(log_disk)
    async with scene.running(stage("waits")) as run_id:
        await until(lambda: scene.executor.trouble)
        filler.unlink()
    assert (scene.statuses(run_id), scene.reasons(run_id)) == ({"waits": "succeeded"}, {})
