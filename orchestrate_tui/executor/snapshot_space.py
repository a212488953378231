"""Making room in the store of snapshots: what only pruned runs had kept goes.

A pack that nobody needs any more is removed. One of which most is not needed is made anew, with
the rest of it: the new one is on the disk before the database names it, and the old one goes
after that. Whoever dies meanwhile leaves a file that belongs to none; the next prune removes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from msgspec.structs import astuple

from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.snapshot_folder import SnapshotFolder
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.snapshots import (
    BlobRow,
    StoredManifest,
    all_blobs,
    all_manifests,
    drop_snapshots,
    move_blobs,
    unneeded_snapshots,
)
from orchestrate_tui.values import dataclass

_MOST = 0.5
"""The part of a pack that has to be needed for it to stay as it is."""


@dataclass(frozen=True, slots=True)
class _Need:
    """The contents that snapshots need, up to the one of the id `newest`; 0 without any."""

    contents: frozenset[bytes]
    newest: int


def free_snapshots(database: Database) -> int:
    """Remove what only pruned runs had kept; returns how many bytes that made free.

    While somebody takes a snapshot, or puts one back, nothing is removed, and nobody waits
    long: the next prune does it. Raises StoreError.
    """
    if not database.files.snapshots.is_dir():
        return 0
    # what handles files takes a while to load
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415

    folder, freed = SnapshotFolder(database.files), 0
    try:
        with suppress(BlockingIOError), folder.pruned():
            freed = _remove_unneeded(database, folder)
            freed += sum(_renew_packs(database, folder))
    except Damaged as error:
        raise StoreError(
            f"Snapshots are damaged: {error}",
            next_step="No room was made in them; look at them with: orchestrate-tui doctor",
        ) from error
    return freed


def stray_packs(packs: Path, known: Iterable[str]) -> Iterator[Path]:
    """Packs that nobody refers to, and what processes left that died while they made one."""
    names = set(known)
    for path in sorted(packs.iterdir()) if packs.is_dir() else ():
        if path.name not in names:
            yield path


def needed_contents(manifests: Iterable[StoredManifest]) -> frozenset[bytes]:
    """The hashes of what snapshots need. Raises Damaged."""
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    return frozenset().union(*(unpack(one.manifest, one.sha256).blobs for one in manifests))


def _remove_unneeded(database: Database, folder: SnapshotFolder) -> int:
    """Let go of what pruned runs kept, and remove the packs that hold nothing else."""
    dropped = database.read(unneeded_snapshots)
    need = database.read(partial(_needed, without=dropped))
    with folder.alone():
        since = database.read(partial(_needed, without=dropped, after=need.newest))
        blobs, needed = database.read(_blobs), need.contents | since.contents
        in_use = {row[1] for row in blobs if row[0] in needed}
        free = {row[1] for row in blobs} - in_use
        database.write(partial(drop_snapshots, snapshot_ids=dropped, packs=free))
        return _remove(stray_packs(folder.packs, in_use))


def _renew_packs(database: Database, folder: SnapshotFolder) -> Iterator[int]:
    """Make the packs anew of which most is not needed; the bytes that each made free."""
    need, kept = database.read(lambda reader: (_needed(reader), _blobs(reader)))
    for pack, rows in groupby(kept, key=itemgetter(1)):
        there = tuple(rows)
        needed = sum(row[3] for row in there if row[0] in need.contents)
        if needed < _size(folder.packs / pack) * _MOST:
            yield _renew(database, folder, there, need)


def _renew(
    database: Database, folder: SnapshotFolder, there: tuple[BlobRow, ...], need: _Need
) -> int:
    """Copy what is needed of a pack into a new one, remove the old one; the bytes made free.

    Others may go on while it is copied. A pack that is damaged, or that there is no room to copy,
    is left as it is, and so is one of which a snapshot since then needs more.
    """
    from orchestrate_tui.snapshots.blobs import Blob, repack  # noqa: PLC0415
    from orchestrate_tui.snapshots.errors import Damaged  # noqa: PLC0415

    old, needed = there[0][1], [Blob(*row) for row in there if row[0] in need.contents]
    with folder.in_use():
        try:
            moved = repack(folder.packs, needed)
        except (Damaged, OSError):
            return 0
    is_done, unneeded = False, {row[0] for row in there} - need.contents
    with suppress(BlockingIOError), folder.alone():
        since = database.read(partial(_needed, after=need.newest))
        if not since.contents & unneeded:
            database.write(partial(move_blobs, pack=old, blobs=map(astuple, moved)))
            is_done = True
    new_bytes = sum(one.length for one in moved)
    if is_done:
        return _remove([folder.packs / old]) - new_bytes
    _remove(folder.packs / name for name in {one.pack for one in moved})
    return 0


def _needed(
    connection: Connection, *, without: frozenset[int] = frozenset(), after: int = 0
) -> _Need:
    """What the snapshots of higher ids than `after` need, but for those that are to go."""
    kept = [one for one in all_manifests(connection, after) if one.id not in without]
    return _Need(needed_contents(kept), max((one.id for one in kept), default=after))


def _blobs(connection: Connection) -> tuple[BlobRow, ...]:
    return tuple(all_blobs(connection))


def _remove(paths: Iterable[Path]) -> int:
    """Remove files; returns how many bytes they were."""
    removed = 0
    for path in paths:
        removed += _size(path)
        path.unlink(missing_ok=True)
    return removed


def _size(file: Path) -> int:
    """Its bytes; 0 when it is gone, which is for doctor to tell."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
