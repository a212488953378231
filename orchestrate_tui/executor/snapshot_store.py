"""The store of snapshots as a whole: whether all of it is there and intact, and what it takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.snapshots import SnapshotFolder
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database, StoreFiles
from orchestrate_tui.store.locks import is_held
from orchestrate_tui.store.reading import Reader
from orchestrate_tui.store.snapshots import (
    BlobRow,
    StoredManifest,
    all_blobs,
    all_manifests,
    drop_snapshots,
    unneeded_snapshots,
)

_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """What was found. `problems` are sentences; `orphans` are files that nothing refers to."""

    snapshots: int
    kept_bytes: int
    packed_bytes: int
    free_bytes: int
    problems: tuple[str, ...]
    orphans: tuple[Path, ...]

    def __str__(self) -> str:
        text = (
            f"{self.snapshots} snapshot(s), {self.kept_bytes / _MIB:.1f} MiB of files in"
            f" {self.packed_bytes / _MIB:.1f} MiB, all intact;"
            f" {self.free_bytes / _MIB:,.0f} MiB are free"
        )
        if not self.orphans:
            return text
        size = sum(path.stat().st_size for path in self.orphans) / _MIB
        return f"{text}; {len(self.orphans)} file(s) of {size:.1f} MiB belong to none"


def check_snapshots(path: Path) -> str:
    """A sentence on a store in which every hash is right. Raises StoreError for any other."""
    report = examine_snapshots(path)
    if report.problems:
        first, *others = report.problems
        more = f", and {len(others)} more problem(s)" if others else ""
        raise StoreError(
            f"Snapshots are damaged: {first}{more}",
            next_step="What they hold cannot be put back; restore the folder from a backup",
        )
    if _is_unfinished(StoreFiles(path)):
        raise StoreError(
            "Somebody died while putting a snapshot back",
            next_step="The next start of an executor finishes it, such as: orchestrate-tui console",
        )
    return str(report)


def examine_snapshots(path: Path) -> SnapshotReport:
    """Read every manifest and every content, and compare them with their hashes."""
    files = StoreFiles(path)
    reader = Reader(path, lambda _: None, hands_off=True)
    try:
        manifests, blobs = reader.read(_recorded)
    finally:
        reader.close()
    packs = files.snapshots / "packs"
    problems = (
        *_damaged_contents(packs, blobs),
        *_damaged_manifests(manifests, {row[0] for row in blobs}),
    )
    space = os.statvfs(files.database.parent)
    return SnapshotReport(
        snapshots=len(manifests),
        kept_bytes=sum(one.size_bytes for one in manifests),
        packed_bytes=sum(row[3] for row in blobs),
        free_bytes=space.f_bavail * space.f_frsize,
        problems=problems,
        orphans=tuple(_orphans(packs, {row[1] for row in blobs})),
    )


def _recorded(
    connection: Connection,
) -> tuple[tuple[StoredManifest, ...], tuple[BlobRow, ...]]:
    return tuple(all_manifests(connection)), tuple(all_blobs(connection))


def _is_unfinished(files: StoreFiles) -> bool:
    """Whether something was being put back by somebody who died."""
    folder = files.snapshots / "restores"
    journals = sorted(folder.iterdir()) if folder.is_dir() else ()
    return any(not is_held(journal) for journal in journals if journal.exists())


def _damaged_contents(packs: Path, blobs: Iterable[BlobRow]) -> Iterator[str]:
    from orchestrate_tui.snapshots.blobs import Blob, PackReader  # noqa: PLC0415
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415

    index = {row[0]: Blob(*row) for row in blobs}
    reader = PackReader(packs, index.get)
    try:
        for digest in index:
            try:
                for _ in reader.pieces(digest):
                    pass
            except Damaged as error:
                yield str(error)
    finally:
        reader.close()


def _damaged_manifests(manifests: Iterable[StoredManifest], contents: set[bytes]) -> Iterator[str]:
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    for one in manifests:
        whose = f"stage '{one.stage_name}' of run {one.run_id}"
        try:
            missing = unpack(one.manifest, one.sha256).blobs - contents
        except Damaged as error:
            yield f"{whose}: {error}"
        else:
            if missing:
                yield f"{whose}: {len(missing)} content(s) are not kept any more"


def _orphans(packs: Path, known: set[str]) -> Iterator[Path]:
    """Packs that nobody refers to, and what processes left that died while they made one."""
    for path in sorted(packs.iterdir()) if packs.is_dir() else ():
        if path.name not in known:
            yield path


def free_snapshots(database: Database) -> int:
    """Remove what only pruned runs had kept; returns how many bytes that were.

    While somebody takes a snapshot, or puts one back, nothing is removed: the next prune does it.
    Raises StoreError.
    """
    if not database.files.snapshots.is_dir():
        return 0
    folder = SnapshotFolder(database.files)
    try:
        with folder.alone():
            return _free(database, folder.packs)
    except BlockingIOError:
        return 0


def _free(database: Database, packs: Path) -> int:
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    dropped = database.read(unneeded_snapshots)
    manifests, blobs = database.read(_recorded)
    kept = (one for one in manifests if one.id not in dropped)
    needed = {digest for one in kept for digest in unpack(one.manifest, one.sha256).blobs}
    in_use = {row[1] for row in blobs if row[0] in needed}
    free = {row[1] for row in blobs} - in_use
    database.write(partial(drop_snapshots, snapshot_ids=dropped, packs=free))
    freed = 0
    for path in _orphans(packs, in_use):
        freed += path.stat().st_size
        path.unlink()
    return freed
