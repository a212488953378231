"""What was kept before stages ran is recorded, and found again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.history import History
from orchestrate_tui.store.snapshots import (
    LaterSnapshots,
    NewSnapshot,
    insert_snapshot,
    last_manifest,
    later_snapshots,
    locate_blob,
    locate_blobs,
    read_manifest,
    snapshots_of,
)
from tests.store.scenery import NOON, Store

VALUES = (("previous", "v1"),)
BLOB = (b"\1" * 32, "a.pack", 0, 10, 20)


def snapshot(run_id: int, stage: str = "build") -> NewSnapshot:
    return NewSnapshot(
        run_id=run_id,
        stage_name=stage,
        workdir=b"/srv/\xff",
        paths=(b"/srv/\xff/a", b"/srv/\xff/b c"),
        entries=3,
        size_bytes=20,
        manifest=b"body",
        sha256=b"\2" * 32,
        blobs=(BLOB,),
    )


def test_a_snapshot_is_found_by_its_run_with_its_values(store: Store, history: History) -> None:
    run_id = store.started_run()
    snapshot_id = store.database.write(lambda c: insert_snapshot(c, snapshot(run_id), VALUES, NOON))
    (kept,) = store.database.read(lambda c: snapshots_of(c, run_id))
    assert (kept.id, kept.paths) == (snapshot_id, (b"/srv/\xff/a", b"/srv/\xff/b c"))
    assert kept.values == VALUES
    assert store.database.read(lambda c: read_manifest(c, kept.id)) == (b"body", b"\2" * 32)
    assert store.database.read(lambda c: locate_blob(c, BLOB[0])) == BLOB
    assert store.database.read(lambda c: locate_blob(c, b"?")) is None
    many = [BLOB[0], *(number.to_bytes(32, "big") for number in range(1200))]
    assert store.database.read(lambda c: locate_blobs(c, many)) == [BLOB]
    (event,) = (one for one in history.events(run_id) if one.kind == "snapshot")
    assert "3 entries, 20 bytes" in event.detail


def test_an_unknown_manifest_is_told_in_a_sentence(store: Store) -> None:
    with pytest.raises(StoreError, match="no snapshot 9"):
        store.database.read(lambda c: read_manifest(c, 9))


def test_the_newest_manifest_of_a_stage_is_found(store: Store) -> None:
    first, second = store.started_run(), store.started_run()
    store.database.write(lambda c: insert_snapshot(c, snapshot(first), (), NOON))
    newer = replace(snapshot(second), manifest=b"newer")
    store.database.write(lambda c: insert_snapshot(c, newer, (), NOON))
    found = store.database.read(lambda c: last_manifest(c, "build", b"/srv/\xff"))
    assert found == (b"newer", b"\2" * 32)
    assert store.database.read(lambda c: last_manifest(c, "build", b"/srv")) is None


def test_of_what_was_kept_again_and_again_the_last_is_found_with_one_query(store: Store) -> None:
    first, *others = (store.started_run() for _ in range(5))
    old = store.database.write(lambda c: insert_snapshot(c, snapshot(first), (), NOON))
    elsewhere = replace(snapshot(first, "other"), paths=(b"/var",))
    news = (elsewhere, replace(elsewhere, stage_name="own"), *map(snapshot, others))
    for new in news:
        store.database.write(partial(insert_snapshot, new=new, values=VALUES, at=NOON))
    queries: list[str] = []

    def ask(connection: Connection) -> tuple[LaterSnapshots, ...]:
        connection.set_trace_callback(queries.append)
        found = later_snapshots(connection, old, run_id=first, scope=("build", "own"))
        connection.set_trace_callback(None)
        return found

    assert store.database.read(ask) == (
        LaterSnapshots(id=old + 1, run_id=first, stage_name="other", paths=(b"/var",)),
        LaterSnapshots(
            id=old + len(news), run_id=others[-1], stage_name="build", paths=snapshot(first).paths
        ),
    )
    assert len(queries) == 1
