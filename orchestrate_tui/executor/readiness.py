"""Whether the stages of a run could be undone now: what the record and the snapshots say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from orchestrate_tui.domain.components import parts_of
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.readiness import Readiness, SnapshotState, readiness
from orchestrate_tui.domain.release import VERSION, Succession
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.history import order_of_starts
from orchestrate_tui.store.releases import succession
from orchestrate_tui.store.snapshots import (
    find_snapshot,
    locate_blob,
    pruned_snapshots,
    read_manifest,
)

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrate_tui.domain.run import Run, StageRun
    from orchestrate_tui.snapshots.blobs import Blob
    from orchestrate_tui.store.connection import Connection
    from orchestrate_tui.store.history import History


def run_readiness(
    history: History, run_id: int, *, only: Collection[str] = (), thorough: bool = False
) -> tuple[Readiness, ...]:
    """How the stages of a run stand, in the order of its file; () means all of them.

    Snapshots are looked for; a `thorough` look reads all that was kept, compares the hashes, and
    sees who has a database open that would be put back. Raises NotFound, or StoreError.
    """
    run, pipeline = history.run(run_id), history.definition(run_id)
    stages = {stage.stage_name: stage for stage in history.stages(run_id)}
    if missing := [stage.name for stage in pipeline.stages if stage.name not in stages]:
        raise StoreError(
            f"The database has no stage '{missing[0]}' of run {run_id}",
            next_step="Check it with: orchestrate-tui doctor",
        )
    starts = history.query(partial(order_of_starts, run_id=run_id))
    packs = history.files.snapshots / "packs"
    look = partial(_look, pipeline=pipeline, run=run, starts=starts, packs=packs)
    return tuple(
        history.query(partial(look, stage=stage, stands=stages[stage.name], thorough=thorough))
        for stage in pipeline.stages
        if not only or stage.name in only
    )


def _look(
    connection: Connection,
    *,
    pipeline: Pipeline,
    run: Run,
    starts: Mapping[str, int],
    packs: Path,
    stage: Stage,
    stands: StageRun,
    thorough: bool,
) -> Readiness:
    known: Succession | None = None
    if not run.simulated:
        version = dict(run.trigger.variables).get(VERSION, "")
        of_parts = [
            succession(connection, run.id, stage.name, version, component=part, starts=starts)
            for part in parts_of(stage)
        ]
        known = next((one for one in of_parts if one.earlier is None), of_parts[0])
    state = SnapshotState.NOT_ASKED
    if stage.snapshot is not None and stage.snapshot.paths and not run.simulated:
        found = [
            snapshot_state(connection, stands, part or "", packs, thorough=thorough)
            for part in parts_of(stage)
        ]
        state = next((one for one in found if one is not SnapshotState.INTACT), found[0])
    in_use = ""
    if thorough and state is SnapshotState.INTACT:
        in_use = next(filter(None, (_in_use(connection, stands, p) for p in parts_of(stage))), "")
    return readiness(pipeline, stage, stands, succession=known, snapshot=state, in_use=in_use)


def _in_use(connection: Connection, stage: StageRun, component: str | None) -> str:
    """Who has a database open that was kept before a stage, in a sentence; "" for nobody."""
    from orchestrate_tui.snapshots.errors import InUse  # noqa: PLC0415
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415
    from orchestrate_tui.snapshots.restore import check_unused  # noqa: PLC0415

    kept = find_snapshot(connection, stage.run_id, stage.stage_name, component or "")
    if kept is not None:
        manifest = unpack(*read_manifest(connection, kept.id))
        try:
            check_unused(manifest, manifest.places)
        except InUse as error:
            return str(error)
    return ""


def snapshot_state(
    connection: Connection,
    stage: StageRun,
    component: str,
    packs: Path,
    *,
    thorough: bool,
    checkpoint: Callable[[], None] = lambda: None,
) -> SnapshotState:
    """What is there of the snapshot of a stage that has one; `thorough` as for run_readiness.

    `checkpoint` is called again and again, and ends it by raising something.
    """
    kept = find_snapshot(connection, stage.run_id, stage.stage_name, component)
    if kept is None:
        return SnapshotState.MISSING if stage.started else SnapshotState.NOT_YET
    if (stage.stage_name, component) in pruned_snapshots(connection, stage.run_id):
        return SnapshotState.PRUNED
    # what handles files takes a while to load
    from orchestrate_tui.snapshots.errors import SnapshotError  # noqa: PLC0415

    try:
        _check(connection, kept.id, packs, checkpoint if thorough else None)
    except (SnapshotError, OSError, LookupError):
        return SnapshotState.DAMAGED
    return SnapshotState.INTACT


def _check(
    connection: Connection, snapshot_id: int, packs: Path, checkpoint: Callable[[], None] | None
) -> None:
    """Raise SnapshotError, OSError or LookupError unless all that was kept is there.

    With a `checkpoint` it is read.
    """
    from orchestrate_tui.snapshots.blobs import PackReader, PackSizes  # noqa: PLC0415
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    manifest = unpack(*read_manifest(connection, snapshot_id))
    sizes, reader = PackSizes(packs), PackReader(packs, partial(_locate, connection))
    try:
        for digest in manifest.blobs:
            looks = (_locate(connection, digest) for _ in range(2))  # a prune may move it
            if not any(blob is not None and sizes.has(blob) for blob in looks):
                raise LookupError(digest.hex())
            if checkpoint is not None:
                for _ in reader.pieces(digest):
                    checkpoint()
    finally:
        reader.close()


def _locate(connection: Connection, digest: bytes) -> Blob | None:
    from orchestrate_tui.snapshots.blobs import Blob  # noqa: PLC0415

    row = locate_blob(connection, digest)
    return Blob(*row) if row else None
