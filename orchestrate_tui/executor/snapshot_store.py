"""The store of snapshots as a whole: whether all of it is there and intact, and what it takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.snapshot_space import stray_packs
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.locks import is_held
from orchestrate_tui.store.reading import Reader
from orchestrate_tui.store.snapshots import (
    BlobRow,
    StoredManifest,
    all_blobs,
    all_manifests,
    locate_blob,
)
from orchestrate_tui.values import dataclass

_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """What was found. `problems` are sentences; `orphans` are files that nothing refers to.

    `unneeded_bytes` are those of the `packed_bytes` that no snapshot needs.
    """

    snapshots: int
    kept_bytes: int
    packed_bytes: int
    unneeded_bytes: int
    free_bytes: int
    problems: tuple[str, ...]
    orphans: tuple[Path, ...]

    def __str__(self) -> str:
        text = (
            f"{self.snapshots} snapshot(s), {self.kept_bytes / _MIB:.1f} MiB of files in"
            f" {self.packed_bytes / _MIB:.1f} MiB, all intact;"
            f" {self.free_bytes / _MIB:,.0f} MiB are free"
        )
        if self.unneeded_bytes:
            text += f"; {self.unneeded_bytes / _MIB:.1f} MiB are needed by none"
        if self.orphans:
            size = sum(path.stat().st_size for path in self.orphans) / _MIB
            text += f"; {len(self.orphans)} file(s) of {size:.1f} MiB belong to none"
        is_waste = self.unneeded_bytes > self.packed_bytes / 2 or self.orphans
        return f"{text}; prune makes room" if is_waste else text


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
    packs = files.snapshots / "packs"
    reader = Reader(path, lambda _: None, hands_off=True)
    try:
        manifests, blobs = reader.read(_recorded)
        damaged = tuple(_damaged_contents(packs, blobs, reader))
    finally:
        reader.close()
    needed, problems = _examined(manifests, {row[0] for row in blobs})
    space = os.statvfs(files.database.parent)
    return SnapshotReport(
        snapshots=len(manifests),
        kept_bytes=sum(one.size_bytes for one in manifests),
        packed_bytes=sum(row[3] for row in blobs),
        unneeded_bytes=sum(row[3] for row in blobs if row[0] not in needed),
        free_bytes=space.f_bavail * space.f_frsize,
        problems=(*damaged, *problems),
        orphans=tuple(stray_packs(packs, {row[1] for row in blobs})),
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


def _damaged_contents(packs: Path, blobs: Iterable[BlobRow], reader: Reader) -> Iterator[str]:
    from orchestrate_tui.snapshots.blobs import Blob, PackReader  # noqa: PLC0415
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415

    index = {row[0]: Blob(*row) for row in blobs}

    def locate(digest: bytes) -> Blob | None:
        """Where a content lies; asked again, where it lies by now."""
        if digest in index:
            return index.pop(digest)
        row = reader.read(partial(locate_blob, digest=digest))
        return Blob(*row) if row else None

    contents = PackReader(packs, locate)
    try:
        for digest in tuple(index):
            try:
                for _ in contents.pieces(digest):
                    pass
            except Damaged as error:
                yield str(error)
    finally:
        contents.close()


def _examined(
    manifests: Iterable[StoredManifest], contents: set[bytes]
) -> tuple[set[bytes], list[str]]:
    """The hashes of the contents that the manifests need, and what is wrong with them."""
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    needed, problems = set[bytes](), list[str]()
    for one in manifests:
        whose = f"stage '{one.stage_name}' of run {one.run_id}"
        try:
            blobs = unpack(one.manifest, one.sha256).blobs
        except Damaged as error:
            problems.append(f"{whose}: {error}")
            continue
        needed |= blobs
        if missing := blobs - contents:
            problems.append(f"{whose}: {len(missing)} content(s) are not kept any more")
    return needed, problems
