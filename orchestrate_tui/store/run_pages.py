"""The newest runs, narrowed by what is asked of them; a page costs the same at any depth."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store.recovery import UNDER_WAY, left_by, lost_owners
from orchestrate_tui.store.rows import as_list, run_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection
    from datetime import datetime

    from orchestrate_tui.domain.run import Run
    from orchestrate_tui.store.database import StoreFiles

_NOT_BEFORE = "id >= (SELECT min(+id) FROM runs WHERE created_at >= ?)"
_SINCE = "+created_at >= ?"  # the + keeps the planner from sorting by this index
_IS_LOST = "epoch IN (SELECT value FROM json_each(?))"

Narrowing = dict[str, str | int | None]
"""Conditions on a run and the value of each; None asks for nothing."""


def narrow(*, before: int | None, pipeline: str | None, since: datetime | None) -> Narrowing:
    """Runs before an id, of a pipeline, since a moment; None does not narrow."""
    moment = to_text(since) if since else None
    return {"id < ?": before, "pipeline = ?": pipeline, _NOT_BEFORE: moment, _SINCE: moment}


def newest_runs(
    connection: sqlite3.Connection,
    files: StoreFiles,
    status: RunStatus | None,
    narrowing: Narrowing,
    limit: int,
) -> tuple[Run, ...]:
    """The newest runs that are shown in `status` (None: in any), as they stand."""
    lost = lost_owners(connection, files)
    rows = [
        row
        for condition in _stored_as(status, lost)
        for row in _newest(connection, narrowing | condition, limit)
    ]
    rows.sort(key=itemgetter("id"), reverse=True)
    return tuple(left_by(lost, run_of(row)) for row in rows[:limit])


def _stored_as(status: RunStatus | None, lost: frozenset[int | None]) -> tuple[Narrowing, ...]:
    """What is stored of the runs that are shown in `status`; each asks for other runs."""
    owners = as_list([epoch for epoch in lost if epoch is not None])
    if status in UNDER_WAY:
        return ({"status = ?": status, f"NOT {_IS_LOST}": owners},)
    stored: list[Narrowing] = [{"status = ?": status}]
    if status is RunStatus.INTERRUPTED and lost:
        stored += [{"status = ?": one, _IS_LOST: owners} for one in sorted(UNDER_WAY)]
    return tuple(stored)


def _newest(connection: sqlite3.Connection, narrowing: Narrowing, limit: int) -> list[sqlite3.Row]:
    given = {clause: value for clause, value in narrowing.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    query = f"SELECT * FROM {_source(given)} {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return connection.execute(query, (*given.values(), limit)).fetchall()


def _source(given: Collection[str]) -> str:
    """The table with the index that finds and orders what is given.

    It is named because statistics made while the history was short would choose another one.
    """
    columns = [column for column in ("pipeline", "status") if f"{column} = ?" in given]
    index = f"INDEXED BY runs_by_{'_and_'.join(columns)}" if columns else "NOT INDEXED"
    return f"runs {index}"
