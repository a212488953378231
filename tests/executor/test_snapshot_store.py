"""The store of snapshots is examined: hashes, orphans, space."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrate_tui.domain.pipeline import Snapshot
from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.snapshot_folder import SnapshotFolder, finish_restores
from orchestrate_tui.executor.snapshot_store import (
    check_snapshots,
    examine_snapshots,
)
from orchestrate_tui.snapshots.journal import Journal
from tests.executor.scenery import Scene, stage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kept(scene: Scene) -> Path:
    """A database with one snapshot of one file."""
    (scene.folder / "file").write_text("x" * 3000)
    await scene.run(stage("deploy", snapshot=Snapshot(paths=("file",))))
    return scene.executor.database.path


def pack_of(kept: Path) -> Path:
    (pack,) = kept.with_name(f"{kept.name}.snapshots").glob("packs/*.pack")
    return pack


async def test_a_store_that_is_intact_says_what_it_takes(kept: Path) -> None:
    assert check_snapshots(kept).startswith(
        "1 snapshot(s), 0.0 MiB of files in 0.0 MiB, all intact"
    )
    report = examine_snapshots(kept)
    assert (report.snapshots, report.kept_bytes, report.problems) == (1, 3000, ())
    assert report.free_bytes > 0


async def test_a_content_that_changed_is_found(kept: Path) -> None:
    content = bytearray(pack_of(kept).read_bytes())
    content[-1] ^= 1
    pack_of(kept).write_bytes(content)
    with pytest.raises(StoreError, match="Snapshots are damaged: the content"):
        check_snapshots(kept)


async def test_a_pack_that_is_gone_is_found(kept: Path) -> None:
    pack_of(kept).unlink()
    with pytest.raises(StoreError, match="is gone"):
        check_snapshots(kept)


async def test_a_manifest_that_changed_or_lacks_a_content_is_found(
    scene: Scene, kept: Path
) -> None:
    change = scene.executor.database.write
    change(lambda connection: connection.execute("DELETE FROM snapshot_blobs"))
    (problem,) = examine_snapshots(kept).problems
    assert problem == "stage 'deploy' of run 1: 1 content(s) are not kept any more"
    change(lambda connection: connection.execute("UPDATE snapshots SET manifest = x'00'"))
    (problem,) = examine_snapshots(kept).problems
    assert problem == "stage 'deploy' of run 1: the manifest of the snapshot is damaged"


async def test_what_a_dead_process_left_is_told(kept: Path) -> None:
    (pack_of(kept).parent / "half.pack.draft").write_bytes(b"x" * 2**20)
    told = check_snapshots(kept)
    assert told.endswith("; 1 file(s) of 1.0 MiB belong to none; prune makes room")


async def test_a_restore_that_somebody_died_in_is_told(kept: Path) -> None:
    folder = kept.with_name(f"{kept.name}.snapshots") / "restores"
    folder.mkdir()
    with Journal.begin(folder):
        check_snapshots(kept)
    with pytest.raises(StoreError, match="died while putting a snapshot back"):
        check_snapshots(kept)


async def test_what_the_dead_left_is_removed_by_the_next_start(scene: Scene, kept: Path) -> None:
    files = scene.executor.database.files
    draft = pack_of(kept).with_name("half.pack.draft")
    draft.touch()
    finish_restores(files)
    for thread in threading.enumerate():
        if thread.name == "snapshot-trash":
            thread.join()
    assert not draft.exists()
    assert check_snapshots(kept)


async def test_what_is_being_made_is_left_alone(scene: Scene, kept: Path) -> None:
    folder = SnapshotFolder(scene.executor.database.files)
    draft = pack_of(kept).with_name("half.pack.draft")
    draft.touch()
    with folder.in_use():
        folder.tidy()
        assert draft.exists()
    folder.tidy()
    assert not draft.exists()
