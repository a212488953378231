"""The readiness of a run, with its releases and the snapshots on the disk."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrate_tui.domain.pipeline import Snapshot, Undo
from orchestrate_tui.domain.readiness import Light, Readiness, SnapshotState
from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.readiness import run_readiness
from tests.executor.scenery import Scene, after, stage

pytestmark = pytest.mark.anyio


async def kept(scene: Scene) -> int:
    """A run before whose only stage a file was kept."""
    (scene.folder / "config").write_text("as it was")
    run = await scene.run(stage("a", "echo new >config", snapshot=Snapshot(paths=("config",))))
    return run.id


def only(scene: Scene, run_id: int, *, thorough: bool = False) -> Readiness:
    (found,) = run_readiness(scene.history, run_id, thorough=thorough)
    return found


async def test_a_stage_goes_from_not_ready_to_ready_with_an_earlier_release(scene: Scene) -> None:
    stages = (
        stage("deploy", environment="live", rollback=Undo(task="echo ${previous.run_id}")),
        after("check", "deploy"),
    )
    for _ in range(2):
        await scene.run(*stages)
    first, second = (run_readiness(scene.history, run_id) for run_id in (1, 2))
    assert [one.light for one in first] == [Light.NOT_READY, Light.NOT_READY]
    assert first[0].problems == ("nothing to go back to: no earlier release",)
    assert [one.light for one in second] == [Light.READY, Light.NOT_READY]
    assert second[0].release == 1
    await scene.executor.trigger_rollback(2, "deploy")
    assert run_readiness(scene.history, 2, only=("deploy",))[0].light is Light.IDLE


async def test_a_snapshot_that_is_there_makes_a_stage_ready(scene: Scene) -> None:
    found = only(scene, await kept(scene), thorough=True)
    assert (found.light, found.snapshot) == (Light.READY, SnapshotState.INTACT)


async def test_a_pack_that_is_gone_is_noticed_at_a_look(scene: Scene) -> None:
    run_id = await kept(scene)
    for pack in (scene.history.files.snapshots / "packs").iterdir():
        pack.unlink()
    found = only(scene, run_id)
    assert (found.light, found.snapshot) == (Light.NOT_READY, SnapshotState.DAMAGED)


async def test_a_changed_byte_is_noticed_by_a_thorough_look(scene: Scene) -> None:
    run_id = await kept(scene)
    (pack,) = (scene.history.files.snapshots / "packs").iterdir()
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)
    assert only(scene, run_id, thorough=True).snapshot is SnapshotState.DAMAGED


async def test_of_a_simulated_run_neither_snapshots_nor_releases_are_asked_for(
    scene: Scene,
) -> None:
    undo = Undo(task="echo ${previous.run_id}")
    run = await scene.run(
        stage("a", environment="live", rollback=undo, snapshot=Snapshot(paths=("x",))),
        simulated=True,
    )
    found = only(scene, run.id)
    assert (found.light, found.snapshot) == (Light.READY, SnapshotState.NOT_ASKED)


@contextmanager
def held_open(path: Path) -> Iterator[int]:
    """Another process, by its id, that has a file open."""
    with subprocess.Popen(["tail", "-f", path], stdout=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert tail.stdout.read(1)
        try:
            yield tail.pid
        finally:
            tail.kill()


async def test_a_database_that_a_process_has_open_is_named_by_a_thorough_look(
    scene: Scene,
) -> None:
    path = scene.folder / "app.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (x)")
    run = await scene.run(stage("a", snapshot=Snapshot(paths=("*.db",))))
    with held_open(path) as pid:
        found = only(scene, run.id, thorough=True)
    assert (found.light, found.snapshot) == (Light.NOT_READY, SnapshotState.INTACT)
    assert f"app.db' is in use by tail (process {pid})" in found.problems[0]
    assert only(scene, run.id, thorough=True).light is Light.READY


async def test_a_stage_that_the_database_has_lost_is_told_in_a_sentence(scene: Scene) -> None:
    run_id = await kept(scene)
    with closing(sqlite3.connect(scene.history.files.database)) as connection, connection:
        connection.execute("UPDATE stages SET stage_name = 'b'")
    with pytest.raises(StoreError, match="has no stage 'a' of run 1"):
        run_readiness(scene.history, run_id)
