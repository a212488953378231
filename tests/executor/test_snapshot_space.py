"""Room is made in the store of snapshots, and nothing goes that is still needed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchestrate_tui.domain.pipeline import Snapshot
from orchestrate_tui.errors import RollbackRefused, StoreError
from orchestrate_tui.executor.snapshot_folder import SnapshotFolder
from orchestrate_tui.executor.snapshot_space import free_snapshots
from orchestrate_tui.executor.snapshot_store import check_snapshots, examine_snapshots
from orchestrate_tui.snapshots import blobs
from orchestrate_tui.store.snapshots import NewSnapshot, insert_snapshot, read_manifest
from tests.executor.scenery import NOON, Scene, stage

pytestmark = pytest.mark.anyio


async def keep(scene: Scene, **contents: bytes) -> int:
    """A run whose stage keeps all files of the folder `kept`, which have these contents now."""
    (scene.folder / "kept").mkdir(exist_ok=True)
    for name, content in contents.items():
        (scene.folder / "kept" / name).write_bytes(content)
    return (await scene.run(stage("deploy", snapshot=Snapshot(paths=("kept",))))).id


def noise(seed: int, size: int) -> bytes:
    """What cannot be compressed."""
    return Random(seed).randbytes(size)


def packs(scene: Scene) -> dict[Path, int]:
    folder = scene.executor.database.files.snapshots / "packs"
    return {path: path.stat().st_size for path in folder.iterdir()}


def mark_pruned(scene: Scene, run_id: int) -> None:
    mark = "UPDATE runs SET pruned_at = '2026-05-04T12:00:00.000000Z' WHERE id = ?"
    scene.executor.database.write(lambda connection: connection.execute(mark, (run_id,)))


async def test_what_only_pruned_runs_kept_is_freed(scene: Scene) -> None:
    database = scene.executor.database
    first = await keep(scene, file=b"x" * 3000)
    second = await keep(scene, file=b"y" * 4000)
    assert free_snapshots(database) == 0
    mark_pruned(scene, first)
    with SnapshotFolder(database.files).in_use():
        assert free_snapshots(database) == 0
    assert len(packs(scene)) == 2
    assert free_snapshots(database) > 0
    assert len(packs(scene)) == 1
    assert check_snapshots(database.path).startswith("1 snapshot(s)")
    with pytest.raises(RollbackRefused, match="what was kept before it was pruned"):
        await scene.executor.trigger_rollback(first, "deploy", reason="too late")
    (scene.folder / "kept/file").write_text("z")
    await scene.executor.trigger_rollback(second, "deploy", reason="bad")
    assert (scene.folder / "kept/file").read_bytes() == b"y" * 4000


async def test_when_all_runs_were_pruned_nothing_is_left(scene: Scene) -> None:
    mark_pruned(scene, await keep(scene, file=b"x"))
    assert free_snapshots(scene.executor.database) > 0
    assert packs(scene) == {}


async def half_needed(scene: Scene, *, needed: int, unneeded: int) -> int:
    """A run that needs so many bytes of the pack of a run that was pruned; else nothing is."""
    first = await keep(scene, stays=noise(1, needed), goes=noise(2, unneeded))
    second = await keep(scene, goes=b"")
    mark_pruned(scene, first)
    return second


async def test_a_pack_of_which_most_is_not_needed_gives_its_room_back(scene: Scene) -> None:
    run_id = await half_needed(scene, needed=2_500_000, unneeded=3_000_000)
    database, before = scene.executor.database, packs(scene)
    freed = free_snapshots(database)
    assert 2_990_000 < freed == sum(before.values()) - sum(packs(scene).values())
    report = examine_snapshots(database.path)
    assert (report.problems, report.orphans, report.unneeded_bytes) == ((), (), 0)
    assert free_snapshots(database) == 0
    for name in ("stays", "goes"):
        (scene.folder / "kept" / name).write_text("changed")
    await scene.executor.trigger_rollback(run_id, "deploy", reason="bad")
    assert (scene.folder / "kept/stays").read_bytes() == noise(1, 2_500_000)
    assert (scene.folder / "kept/goes").read_bytes() == b""


async def test_a_pack_of_which_most_is_needed_stays_as_it_is(scene: Scene) -> None:
    await half_needed(scene, needed=6000, unneeded=4000)
    before = packs(scene)
    assert free_snapshots(scene.executor.database) == 0
    assert packs(scene) == before
    assert examine_snapshots(scene.executor.database.path).unneeded_bytes > 4000


async def test_what_prune_would_make_room_of_is_told(scene: Scene) -> None:
    await half_needed(scene, needed=10, unneeded=300_000)
    database = scene.executor.database
    database.write(lambda connection: connection.execute("UPDATE snapshots SET manifest = x''"))
    told = check_snapshots(database.path)
    assert told.endswith("; 0.3 MiB are needed by none; prune makes room")


async def test_a_damaged_pack_is_left_for_doctor_to_tell(scene: Scene) -> None:
    await half_needed(scene, needed=1000, unneeded=4000)
    damaged = max(packs(scene), key=lambda path: path.stat().st_size)
    content = bytearray(damaged.read_bytes())
    for position in range(len(content)):
        content[position] ^= 1
    damaged.write_bytes(content)
    before = packs(scene)
    assert free_snapshots(scene.executor.database) == 0
    assert packs(scene) == before
    with pytest.raises(StoreError, match="Snapshots are damaged"):
        check_snapshots(scene.executor.database.path)


async def test_no_room_is_made_where_a_manifest_is_damaged(scene: Scene) -> None:
    await keep(scene, file=b"x")
    database, before = scene.executor.database, packs(scene)
    database.write(lambda connection: connection.execute("UPDATE snapshots SET manifest = x'00'"))
    with pytest.raises(StoreError, match="the manifest of the snapshot is damaged"):
        free_snapshots(database)
    assert packs(scene) == before


@pytest.mark.parametrize("is_used", [True, False])
async def test_what_a_snapshot_needs_again_meanwhile_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, is_used: bool
) -> None:
    """One that is recorded while the pack is copied, and one that is being taken after that."""
    await half_needed(scene, needed=1000, unneeded=4000)
    database, before = scene.executor.database, packs(scene)
    again = NewSnapshot(
        run_id=2,
        stage_name="again",
        workdir=b"/",
        paths=(),
        entries=2,
        size_bytes=5000,
        manifest=database.read(lambda reader: read_manifest(reader, 1))[0],
        sha256=database.read(lambda reader: read_manifest(reader, 1))[1],
    )
    copy, holding = blobs.repack, SnapshotFolder(database.files).in_use()

    def meanwhile(*arguments: Any) -> Any:
        if is_used:
            holding.__enter__()
        else:
            database.write(lambda connection: insert_snapshot(connection, again, (), NOON))
        return copy(*arguments)

    monkeypatch.setattr(blobs, "repack", meanwhile)
    assert free_snapshots(database) == 0
    assert packs(scene) == before
    if is_used:
        holding.__exit__(None, None, None)
    assert examine_snapshots(database.path).problems == ()
