"""What was kept before stages ran: manifests, values, and where each content lies.

The contents are in packs, which are files; what a manifest says is not known here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.store.record import record
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from orchestrate_tui.domain.pipeline import Pairs

BlobRow = tuple[bytes, str, int, int, int]
"""The SHA-256 of a content, its pack, where it lies there, its length there, and its size."""

_SEPARATOR = b"\0"  # no path holds one
_AT_ONCE = 500  # hashes that are looked for with one query


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSnapshot:
    """A snapshot to be recorded; `paths` are the absolute ones of its places.

    `size_bytes` is that of its files.
    """

    run_id: int
    stage_name: str
    component: str = ""
    workdir: bytes
    paths: tuple[bytes, ...]
    entries: int
    size_bytes: int
    manifest: bytes
    sha256: bytes
    blobs: tuple[BlobRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """A recorded snapshot without its manifest."""

    id: int
    run_id: int
    stage_name: str
    component: str
    workdir: bytes
    paths: tuple[bytes, ...]
    entries: int
    size_bytes: int
    values: Pairs


def insert_snapshot(
    connection: sqlite3.Connection, new: NewSnapshot, values: Pairs, at: datetime
) -> int:
    """Record a snapshot, whose contents are on the disk, and return its id."""
    connection.executemany(
        "INSERT OR REPLACE INTO snapshot_blobs VALUES (?, ?, ?, ?, ?)", new.blobs
    )
    cursor = connection.execute(
        "INSERT INTO snapshots (run_id, stage_name, component, workdir, paths, entries, bytes,"
        " manifest, sha256, taken_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.run_id, new.stage_name, new.component, new.workdir, _SEPARATOR.join(new.paths),
            new.entries, new.size_bytes, new.manifest, new.sha256, to_text(at),
        ),
    )  # fmt: skip
    snapshot_id = cursor.lastrowid or 0
    connection.executemany(
        "INSERT INTO snapshot_values VALUES (?, ?, ?)",
        [(snapshot_id, name, value) for name, value in values],
    )
    record(
        connection, new.run_id, to_text(at), "snapshot", stage_name=new.stage_name,
        detail=f"snapshot {snapshot_id}: {new.entries} entries, {new.size_bytes} bytes,"
        f" manifest {new.sha256.hex()}",
    )  # fmt: skip
    return snapshot_id


def snapshots_of(connection: sqlite3.Connection, run_id: int) -> tuple[KeptSnapshot, ...]:
    """The snapshots of a run that are there, in the order in which they were taken."""
    rows = connection.execute(f"{_SELECT} WHERE run_id = ? {_IS_THERE} ORDER BY id", (run_id,))
    return tuple(_kept(connection, row) for row in rows.fetchall())


def pruned_snapshots(connection: sqlite3.Connection, run_id: int) -> tuple[tuple[str, str], ...]:
    """The stages of a run, each with its component or "", whose snapshots are there no more."""
    query = "SELECT stage_name, component FROM snapshots WHERE run_id = ? AND length(manifest) = 0"
    rows = connection.execute(query, (run_id,))
    return tuple((row["stage_name"], row["component"]) for row in rows)


def find_snapshot(
    connection: sqlite3.Connection, run_id: int, stage_name: str, component: str = ""
) -> KeptSnapshot | None:
    """The snapshot of a stage of a run, or of its component; "" is the stage as a whole."""
    query = f"{_SELECT} WHERE run_id = ? AND stage_name = ? AND component = ?"
    row = connection.execute(query, (run_id, stage_name, component)).fetchone()
    return _kept(connection, row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterSnapshots:
    """What a stage of that name kept again and again: the same paths; `id` and run of the last."""

    id: int
    run_id: int
    stage_name: str
    paths: tuple[bytes, ...]


def later_snapshots(
    connection: sqlite3.Connection, after: int, *, run_id: int, scope: Iterable[str]
) -> tuple[LaterSnapshots, ...]:
    """What was kept after the snapshot of that id, in its order; not what was undone since.

    The stages in `scope` of the run are left out.
    """
    query = f"""
        SELECT max(id) AS id, run_id, stage_name, paths FROM snapshots
        WHERE id > :after AND NOT (run_id = :run
            AND stage_name IN (SELECT value FROM json_each(:scope))) {_NOT_UNDONE}
        GROUP BY stage_name, paths ORDER BY 1
    """  # noqa: S608  (a condition of our own)
    given = {"after": after, "run": run_id, "scope": json.dumps([*scope])}
    return tuple(
        LaterSnapshots(
            id=row["id"],
            run_id=row["run_id"],
            stage_name=row["stage_name"],
            paths=_paths(row["paths"]),
        )
        for row in connection.execute(query, given)
    )


def read_manifest(connection: sqlite3.Connection, snapshot_id: int) -> tuple[bytes, bytes]:
    """The manifest and the SHA-256 that was kept of it. Raises LookupError without."""
    query = "SELECT manifest, sha256 FROM snapshots WHERE id = ?"
    row = connection.execute(query, (snapshot_id,)).fetchone()
    if row is None:
        raise LookupError(f"no snapshot {snapshot_id}")
    return row["manifest"], row["sha256"]


def last_manifest(
    connection: sqlite3.Connection, stage_name: str, workdir: bytes, component: str = ""
) -> tuple[bytes, bytes] | None:
    """The newest manifest of a stage of that name in that folder, with its SHA-256."""
    row = connection.execute(
        "SELECT manifest, sha256 FROM snapshots WHERE stage_name = ? AND workdir = ?"
        " AND component = ? AND length(manifest) > 0 ORDER BY id DESC LIMIT 1",
        (stage_name, workdir, component),
    ).fetchone()
    return (row["manifest"], row["sha256"]) if row else None


def locate_blob(connection: sqlite3.Connection, digest: bytes) -> BlobRow | None:
    """Where the content of that hash lies."""
    row = connection.execute(f"{_LOCATE} = ?", (digest,)).fetchone()
    return tuple(row) if row else None


def locate_blobs(connection: sqlite3.Connection, digests: Iterable[bytes]) -> list[BlobRow]:
    """Where the contents of those hashes lie; what is not kept is left out."""
    wanted, found = list(digests), list[BlobRow]()
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        signs = ", ".join("?" * len(some))
        found += map(tuple, connection.execute(f"{_LOCATE} IN ({signs})", some))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest as it is stored, and whose it is."""

    id: int
    run_id: int
    stage_name: str
    size_bytes: int
    manifest: bytes
    sha256: bytes


def all_manifests(connection: sqlite3.Connection, after: int = 0) -> Iterator[StoredManifest]:
    """The manifests of all snapshots of higher ids that are there, oldest first."""
    query = (
        "SELECT id, run_id, stage_name, bytes, manifest, sha256 FROM snapshots"
        " WHERE length(manifest) > 0 AND id > ? ORDER BY id"
    )
    for row in connection.execute(query, (after,)):
        yield StoredManifest(
            id=row["id"],
            run_id=row["run_id"],
            stage_name=row["stage_name"],
            size_bytes=row["bytes"],
            manifest=row["manifest"],
            sha256=row["sha256"],
        )


def unneeded_snapshots(connection: sqlite3.Connection) -> frozenset[int]:
    """The snapshots of pruned runs that are still there: no possible rollback needs them."""
    query = (
        "SELECT snapshots.id FROM snapshots JOIN runs ON runs.id = run_id"
        " WHERE runs.pruned_at IS NOT NULL AND length(manifest) > 0"
    )
    return frozenset(row["id"] for row in connection.execute(query))


def drop_snapshots(
    connection: sqlite3.Connection, snapshot_ids: Iterable[int], packs: Iterable[str]
) -> None:
    """Let go of manifests, and of what lies in packs; that there were snapshots stays known."""
    connection.executemany(
        "UPDATE snapshots SET manifest = x'' WHERE id = ?", [(one,) for one in snapshot_ids]
    )
    connection.executemany("DELETE FROM snapshot_blobs WHERE pack = ?", [(pack,) for pack in packs])


def move_blobs(connection: sqlite3.Connection, pack: str, blobs: Iterable[BlobRow]) -> None:
    """Let go of what lies in a pack, but for what lies elsewhere now."""
    connection.execute("DELETE FROM snapshot_blobs WHERE pack = ?", (pack,))
    connection.executemany("INSERT OR REPLACE INTO snapshot_blobs VALUES (?, ?, ?, ?, ?)", blobs)


def all_blobs(connection: sqlite3.Connection) -> Iterable[BlobRow]:
    """Where everything lies that was kept, pack by pack."""
    query = "SELECT sha256, pack, offset, length, size FROM snapshot_blobs ORDER BY pack, offset"
    return (tuple(row) for row in connection.execute(query))


_SELECT = "SELECT id, run_id, stage_name, component, workdir, paths, entries, bytes FROM snapshots"

_LOCATE = "SELECT sha256, pack, offset, length, size FROM snapshot_blobs WHERE sha256"

_IS_THERE = "AND length(manifest) > 0"
_NOT_UNDONE = (
    "AND NOT EXISTS (SELECT 1 FROM stages WHERE stages.run_id = snapshots.run_id"
    " AND stages.stage_name = snapshots.stage_name AND stages.status = 'rolled_back')"
)


def _kept(connection: sqlite3.Connection, row: sqlite3.Row) -> KeptSnapshot:
    query = "SELECT name, value FROM snapshot_values WHERE snapshot_id = ?"
    values = connection.execute(query, (row["id"],))
    return KeptSnapshot(
        id=row["id"],
        run_id=row["run_id"],
        stage_name=row["stage_name"],
        component=row["component"],
        workdir=row["workdir"],
        paths=_paths(row["paths"]),
        entries=row["entries"],
        size_bytes=row["bytes"],
        values=tuple((value["name"], value["value"]) for value in values),
    )


def _paths(joined: bytes) -> tuple[bytes, ...]:
    return tuple(joined.split(_SEPARATOR)) if joined else ()
