"""Removing the files of old runs, but nothing that a possible rollback still needs.

Rows stay. That a run was pruned is committed before its files go, so that nobody counts on them
any more; files that a prune which died has left are removed by the next one.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from orchestrate_tui.domain.components import Parts, parts_of
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.history import order_of_starts
from orchestrate_tui.store.placing import all_in_place, place_before
from orchestrate_tui.store.record import record
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from orchestrate_tui.store.database import Database, StoreFiles

_OPEN = """
    SELECT id FROM runs INDEXED BY runs_by_status
    WHERE status IN ('pending', 'running', 'interrupted')
    UNION SELECT run_id FROM rollback_events
        WHERE status IN ('pending', 'running')
            OR (status = 'failed' AND id NOT IN
                (SELECT retry_of FROM rollback_events WHERE retry_of IS NOT NULL))
"""
"""The runs that are under way, or have a rollback that is, or that may be tried again."""

_VOUCHED = """
    SELECT run_id FROM releases WHERE pinned_at IS NOT NULL
    UNION SELECT run_id FROM releases WHERE id IN (
        SELECT release_id FROM rollback_events WHERE status <> 'succeeded')
    UNION SELECT max(id) FROM runs WHERE started_at IS NOT NULL AND NOT simulated
        GROUP BY pipeline
"""
"""The runs of what is golden or was named to be returned to, and the last one of each pipeline."""

_RETURNED = """
    SELECT pipeline, environment, max(event_id) AS last FROM returns GROUP BY 1, 2
"""
_BROUGHT = """
    SELECT pipeline, environment, stage_name, component, run_id, event_id, undone_by FROM releases
    ORDER BY id DESC
"""

_UNDOABLE = """
    SELECT run_id, pipeline, environment, stage_name, definition_hash
    FROM stages JOIN runs ON runs.id = run_id
    WHERE environment IS NOT NULL AND NOT simulated AND pruned_at IS NULL
        AND stages.status <> 'rolled_back' AND (
            stages.started_at IS NOT NULL OR runs.status IN ('pending', 'running', 'interrupted'))
"""
"""What a rollback may undo in an environment, now or when it has started."""

_ENDED = """
    SELECT id FROM (
        SELECT id, completed_at, row_number() OVER (PARTITION BY pipeline ORDER BY id DESC) AS place
        FROM runs WHERE completed_at IS NOT NULL AND pruned_at IS NULL
    ) WHERE (?1 IS NULL OR completed_at < ?1) AND (?2 IS NULL OR place > ?2) ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is old: ended `before` that moment, and not one of the `keep` newest of its pipeline.

    None does not narrow; one of the two is given.
    """

    before: datetime | None = None
    keep: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRun:
    """A run that is, or would be, pruned: its files, and the releases that go with them."""

    run_id: int
    files: tuple[Path, ...]
    size_bytes: int
    releases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What is, or would be, pruned, and the old runs that a possible rollback still needs."""

    runs: tuple[PrunedRun, ...]
    needed: tuple[int, ...] = ()


def needed_runs(connection: sqlite3.Connection, old: Collection[int] = ()) -> frozenset[int]:
    """The runs whose logs, snapshots and releases a possible rollback still needs.

    Such a rollback is one of what is under way, in place or vouched for, or of any run that is
    not `old`. What these go back to is needed, not what that itself once replaced.
    """
    kept = _runs_of(connection, all_in_place(connection)).union(
        row[0] for query in (_OPEN, _VOUCHED) for row in connection.execute(query)
    )
    aged = frozenset(old) - kept
    return kept | _runs_of(connection, frozenset(_gone_back_to(connection, aged)))


def _gone_back_to(connection: sqlite3.Connection, aged: Collection[int]) -> Iterator[int]:
    """The releases to which rollbacks of the runs would go that are not `aged`, and maybe others.

    Where nothing aged can be gone back to, nothing is looked for: there may be a million runs.
    """
    horizon = _horizon(connection, aged) if aged else {}
    parts: dict[tuple[str, str], Parts] = {}
    starts: dict[int, dict[str, int]] = {}
    for row in connection.execute(_UNDOABLE).fetchall():
        run_id, name, digest = row["run_id"], row["stage_name"], row["definition_hash"]
        place = horizon.get((row["pipeline"], row["environment"]))
        if run_id in aged or (aged and place is None):
            continue
        if (digest, name) not in parts:
            stage = read_definition(connection, digest).stage(name)
            parts[digest, name] = parts_of(stage) if stage else ()
        if run_id not in starts:
            starts = {run_id: order_of_starts(connection, run_id)}
        began = starts[run_id].get(name)
        for part in parts[digest, name]:
            if place is None or began is None or began <= place.get((name, part), began):
                earlier = place_before(connection, run_id, name, part, starts=starts[run_id])
                if earlier is not None:
                    yield earlier


_Horizon = dict[tuple[str, str], dict[tuple[str, str | None], int]]
"""For each pipeline in each environment: for a stage, or a component of it, the event after which
whoever begins finds something newer in place than anything that is aged."""


def _horizon(connection: sqlite3.Connection, aged: Collection[int]) -> _Horizon:
    """Where something is aged, and from when on nobody goes back to it any more."""
    last_return = {
        (row["pipeline"], row["environment"]): row["last"] for row in connection.execute(_RETURNED)
    }
    found: _Horizon = {}
    newer: _Horizon = defaultdict(dict)
    for row in connection.execute(_BROUGHT):
        place = row["pipeline"], row["environment"]
        if place in found:
            continue
        if row["run_id"] in aged:
            found[place] = newer[place]
        elif row["undone_by"] is None and row["event_id"] > last_return.get(place, 0):
            newer[place][row["stage_name"], row["component"]] = row["event_id"]
    return found


def _runs_of(connection: sqlite3.Connection, releases: Iterable[int]) -> frozenset[int]:
    query = "SELECT run_id FROM releases WHERE id = ?"
    return frozenset(connection.execute(query, (one,)).fetchone()["run_id"] for one in releases)


def plan_pruning(connection: sqlite3.Connection, files: StoreFiles, limits: Limits) -> Pruning:
    """What a prune within these limits would take now."""
    before = to_text(limits.before) if limits.before else None
    old = [row["id"] for row in connection.execute(_ENDED, (before, limits.keep))]
    needed = needed_runs(connection, old)
    return Pruning(
        runs=tuple(_prunable(connection, files, run_id) for run_id in old if run_id not in needed),
        needed=tuple(run_id for run_id in old if run_id in needed),
    )


def prune(database: Database, limits: Limits, actor: str, at: datetime) -> Pruning:
    """Prune what is old and not needed any more; returns what that was. Raises StoreError."""
    _remove_left(database)
    done = database.write(partial(_mark, files=database.files, limits=limits, actor=actor, at=at))
    for run in done.runs:
        _remove(run.files)
    return done


def _mark(
    connection: sqlite3.Connection,
    *,
    files: StoreFiles,
    limits: Limits,
    actor: str,
    at: datetime,
) -> Pruning:
    plan, moment = plan_pruning(connection, files, limits), to_text(at)
    for run in plan.runs:
        for table, column in (("runs", "id"), ("releases", "run_id")):
            connection.execute(
                f"UPDATE {table} SET pruned_at = ? WHERE {column} = ?",  # noqa: S608
                (moment, run.run_id),
            )
        record(
            connection, run.run_id, moment, "prune", actor=actor,
            detail=f"{len(run.files)} files of {run.size_bytes} bytes"
            f" and {len(run.releases)} releases",
        )  # fmt: skip
    return plan


def _prunable(connection: sqlite3.Connection, files: StoreFiles, run_id: int) -> PrunedRun:
    found = _files_of(files, run_id)
    query = "SELECT id FROM releases WHERE run_id = ? AND pruned_at IS NULL"
    return PrunedRun(
        run_id=run_id,
        files=found,
        size_bytes=sum(_size(file) for file in found),
        releases=tuple(row["id"] for row in connection.execute(query, (run_id,))),
    )


def _files_of(files: StoreFiles, run_id: int) -> tuple[Path, ...]:
    folder = files.runs / str(run_id)
    return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _remove_left(database: Database) -> None:
    """Remove what was pruned by somebody who died before it was gone.

    The logs of a rollback since then are not old: they stay.
    """
    there = {
        int(folder.name) for folder in database.files.runs.iterdir() if folder.name.isdecimal()
    }
    pruned = database.read(
        lambda reader: [
            (row["id"], row["pruned_at"])
            for row in reader.execute("SELECT id, pruned_at FROM runs WHERE pruned_at IS NOT NULL")
        ]
    )
    for run_id, pruned_at in pruned:
        if run_id in there:
            _remove(
                file for file in _files_of(database.files, run_id) if _is_older(file, pruned_at)
            )


def _is_older(file: Path, moment: str) -> bool:
    try:
        return to_text(datetime.fromtimestamp(file.lstat().st_mtime, UTC)) < moment
    except OSError:
        return False


def _remove(files: Iterable[Path]) -> None:
    folders = set()
    for file in files:
        folders.add(file.parent)
        with suppress(OSError):
            file.unlink()
    for folder in folders:
        with suppress(OSError):  # what a rollback has written there meanwhile stays
            folder.rmdir()
