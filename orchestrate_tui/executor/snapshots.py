"""Snapshots of the stages of one run: taken before a stage starts, put back when it is undone."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from anyio import to_thread
from anyio.from_thread import check_cancelled

from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.pipeline import Pairs, Stage
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.secrets import LostSecret
from orchestrate_tui.executor.shared_paths import check_unshared, lie_together, shared
from orchestrate_tui.executor.snapshot_folder import SnapshotFolder, tidy_meanwhile
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database, StoreFiles
from orchestrate_tui.store.fencing import check_owner
from orchestrate_tui.store.rollbacks import undone_components
from orchestrate_tui.store.snapshots import (
    KeptSnapshot,
    LaterSnapshots,
    NewSnapshot,
    find_snapshot,
    insert_snapshot,
    last_manifest,
    later_snapshots,
    locate_blob,
    locate_blobs,
    pruned_snapshots,
    read_manifest,
    snapshots_of,
)
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.snapshots.blobs import Blob
    from orchestrate_tui.snapshots.manifest import Manifest

T = TypeVar("T")

# What handles files is loaded only where a pipeline has snapshots: it takes a while.


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What is kept of one run, and put back."""

    executor: ExecutorContext
    context: RunContext

    def is_due(self, stage: Stage, component: str | None = None) -> bool:
        """Whether a snapshot of a stage, or of its component, has to be taken before it starts."""
        if stage.snapshot is None or self.context.run.simulated:
            return False
        return self.find(stage.name, component) is None

    async def take(
        self,
        stage: Stage,
        workdir: Path,
        paths: tuple[str, ...],
        values: Pairs,
        component: str | None = None,
    ) -> str:
        """Keep what lies at the paths, and the values; returns why it could not be, "" if it was.

        When this returns "" it is recorded.
        """
        await self.executor.room.wait()
        try:
            with SnapshotFolder(self.executor.database.files).in_use():
                return await self._keep(stage, workdir, paths, values, component)
        except OSError as error:
            return f"snapshot: {error}"

    async def _keep(
        self,
        stage: Stage,
        workdir: Path,
        paths: tuple[str, ...],
        values: Pairs,
        component: str | None,
    ) -> str:
        capture = partial(self._capture, stage.name, workdir, paths, component or "")
        new, problem = await to_thread.run_sync(capture)
        if new is None:
            return problem
        sealed = self.context.secrets.sealed_pairs(values)
        return await self.executor.commit(
            partial(self._record, new=new, values=sealed),
            Change(run_id=self.context.id, stage_name=stage.name),
        )

    async def restore(self, stage_name: str, component: str | None = None) -> str:
        """Put back what was kept; returns why it could not be, and then nothing was changed."""
        return await to_thread.run_sync(partial(self._restore, stage_name, component))

    def values(self, stage_name: str, component: str | None = None) -> dict[str, str]:
        """The values that were kept; one that needs a secret that is lost is left out."""
        kept = self.find(stage_name, component)
        known: dict[str, str] = {}
        for name, stored in kept.values if kept else ():
            with suppress(LostSecret):
                known[name] = self.context.secrets.unsealed(stored)
        return known

    def find(self, stage_name: str, component: str | None) -> KeptSnapshot | None:
        """What was kept before a stage, or its component, ran; None without."""
        find = partial(
            find_snapshot,
            run_id=self.context.id,
            stage_name=stage_name,
            component=component or "",
        )
        return self.executor.database.read(find)

    def _record(self, connection: Connection, new: NewSnapshot, values: Pairs) -> str:
        check_owner(connection, self.context.id, self.executor.epoch)
        problem = shared(connection, self.context, new)
        if not problem:
            insert_snapshot(connection, new, values, self.executor.clock())
        return problem

    # In threads

    def _capture(
        self, stage_name: str, workdir: Path, patterns: tuple[str, ...], component: str
    ) -> tuple[NewSnapshot | None, str]:
        from orchestrate_tui.snapshots.blobs import PackWriter  # noqa: PLC0415
        from orchestrate_tui.snapshots.capture import Capture  # noqa: PLC0415
        from orchestrate_tui.snapshots.manifest import pack  # noqa: PLC0415
        from orchestrate_tui.store.foreign import copy_database  # noqa: PLC0415

        database = self.executor.database
        folder = SnapshotFolder(database.files)

        def capture() -> NewSnapshot:
            check_unshared(database, self.context, stage_name, workdir, patterns)
            writer = PackWriter(folder.packs, partial(locate, database))
            try:
                manifest = Capture(
                    packs=writer,
                    copy_database=copy_database,
                    scratch=folder.scratch(),
                    former=_former(database, stage_name, component, workdir),
                    own=_own(database.files),
                    checkpoint=check_cancelled,
                ).take(workdir, patterns)
                writer.finish()
            except BaseException:
                writer.discard()
                raise
            body, digest = pack(manifest)
            return NewSnapshot(
                run_id=self.context.id,
                stage_name=stage_name,
                component=component,
                workdir=manifest.workdir,
                paths=tuple(manifest.absolute(place) for place in manifest.places),
                entries=sum(1 for _ in manifest.entries()),
                size_bytes=manifest.size,
                manifest=body,
                sha256=digest,
                blobs=tuple(
                    (blob.sha256, blob.pack, blob.offset, blob.length, blob.size)
                    for blob in writer.blobs
                ),
            )

        return answered(database, capture)

    def _restore(self, stage_name: str, component: str | None) -> str:
        from orchestrate_tui.snapshots.blobs import PackReader  # noqa: PLC0415
        from orchestrate_tui.snapshots.errors import SnapshotError  # noqa: PLC0415
        from orchestrate_tui.snapshots.journal import finish_left  # noqa: PLC0415
        from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415
        from orchestrate_tui.snapshots.restore import Restore  # noqa: PLC0415

        database = self.executor.database
        folder = SnapshotFolder(database.files)

        def restore() -> None:
            kept = self.find(stage_name, component)
            if kept is None:
                part = part_name(stage_name, component)
                raise SnapshotError(f"there is no snapshot of stage '{part}'")
            if problems := finish_left(folder.journals):
                raise SnapshotError("; ".join(problems))
            manifest = unpack(*database.read(partial(read_manifest, snapshot_id=kept.id)))
            with folder.in_use():
                packs = PackReader(folder.packs, located(database, manifest).get)
                try:
                    Restore(
                        manifest=manifest,
                        packs=packs,
                        journals=folder.journals,
                        checkpoint=check_cancelled,
                    ).run()
                finally:
                    packs.close()

        _, problem = answered(database, restore)
        tidy_meanwhile(folder)
        return problem


def restorable(connection: Connection, context: RunContext) -> Mapping[str, tuple[str, ...]]:
    """The stages of a run of which paths were kept, with these paths for people to read."""
    if context.run.simulated:
        return {}
    return {
        part_name(kept.stage_name, kept.component or None): tuple(
            path.removeprefix(kept.workdir.rstrip(b"/") + b"/").decode("utf-8", "backslashreplace")
            for path in kept.paths
        )
        for kept in snapshots_of(connection, context.id)
        if kept.paths
    }


def pruned_parts(connection: Connection, run_id: int) -> frozenset[str]:
    """The stages of a run, or components of them, that cannot be put back any more."""
    pruned = pruned_snapshots(connection, run_id)
    return frozenset(part_name(name, component or None) for name, component in pruned)


def overwritten(connection: Connection, context: RunContext, plan: RollbackPlan) -> tuple[str, ...]:
    """What stages outside the rollback may have changed since, and would be lost by it.

    Whoever kept the same later on went on to change it, unless that was undone; so did a stage
    for each of its components.
    """
    restored = {
        step.part: kept
        for step in plan.steps
        if step.restores
        and (kept := find_snapshot(connection, context.id, step.stage_name, step.component or ""))
    }
    if not restored:
        return ()
    first = min(kept.id for kept in restored.values())
    later = later_snapshots(connection, first, run_id=context.id, scope=plan.scope)
    found: list[str] = []
    for part, kept in restored.items():
        found += (
            f"what stage '{part}' would put back was changed since by stage"
            f" '{other.stage_name}' of run {other.run_id}"
            for other in later
            if other.id > kept.id and _share(kept, other)
        )
        found += (
            f"what stage '{part}' would put back was changed for '{other}' too"
            for other in _staying(connection, kept, plan)
        )
    return tuple(dict.fromkeys(found))


def _staying(connection: Connection, kept: KeptSnapshot, plan: RollbackPlan) -> Iterator[str]:
    """The other components of a stage that have kept the same, and are not undone with it."""
    gone = undone_components(connection, kept.run_id).get(kept.stage_name, frozenset())
    undone = {step.part for step in plan.steps} | {part_name(kept.stage_name, c) for c in gone}
    for other in snapshots_of(connection, kept.run_id):
        part = part_name(other.stage_name, other.component or None)
        if other.stage_name == kept.stage_name and part not in undone and _share(kept, other):
            yield part


def _share(kept: KeptSnapshot, later: KeptSnapshot | LaterSnapshots) -> bool:
    """Whether a path of one lies at, in or above a path of the other."""
    return any(lie_together(one, other) for one in kept.paths for other in later.paths)


def answered(database: Database, work: Callable[[], T]) -> tuple[T | None, str]:
    """What the work returns, or the sentence that says why it could not be done."""
    from orchestrate_tui.snapshots.errors import Damaged, SnapshotError  # noqa: PLC0415

    try:
        return work(), ""
    except Damaged as error:  # that says of what
        return None, str(error)
    except SnapshotError as error:
        return None, f"snapshot: {error}"
    except OSError as error:
        full = "; free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        return None, f"snapshot: {error}{full}"
    finally:
        database.release_reader()


def locate(database: Database, digest: bytes) -> Blob | None:
    """Where the content of that hash lies; None when it is not kept."""
    from orchestrate_tui.snapshots.blobs import Blob  # noqa: PLC0415

    row = database.read(partial(locate_blob, digest=digest))
    return Blob(*row) if row else None


def located(database: Database, manifest: Manifest) -> dict[bytes, Blob]:
    """Where all contents of a snapshot lie: for ten thousand that is faster than one by one."""
    from orchestrate_tui.snapshots.blobs import Blob  # noqa: PLC0415

    rows = database.read(partial(locate_blobs, digests=manifest.blobs))
    return {row[0]: Blob(*row) for row in rows}


def _former(database: Database, stage_name: str, component: str, workdir: Path) -> Manifest | None:
    """The last snapshot of the stage in that folder; None when there is none, or it is damaged."""
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    real = os.path.realpath(os.fsencode(workdir))
    found = database.read(
        partial(last_manifest, stage_name=stage_name, component=component, workdir=real)
    )
    try:
        return unpack(*found) if found else None
    except Damaged:
        return None


def _own(files: StoreFiles) -> tuple[bytes, ...]:
    return (os.fsencode(files.database), os.fsencode(files.snapshots))
