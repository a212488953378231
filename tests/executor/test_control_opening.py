from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.store import open_database
from tests.executor.scenery import FOREVER, Scene, stage


def test_an_executor_that_cannot_begin_leaves_no_thread_behind(tmp_path: Path) -> None:
    with open_database(tmp_path / "runs.db") as database:
        before = set(threading.enumerate())
        database.files.owners.write_text("a file where a folder should be")
        with pytest.raises(StoreError, match="owners"):
            Control(database)
        assert set(threading.enumerate()) == before


@pytest.mark.anyio
async def test_an_executor_that_fails_to_begin_owns_nothing_any_more(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    other.kill()
    scene.bury()
    break_marking(scene.executor.database.path)
    before = set(scene.executor.database.files.owners.iterdir())
    threads = set(threading.enumerate())
    with pytest.raises(StoreError, match="not to be marked"):
        PipelineExecutor(scene.executor.database.path)
    assert set(scene.executor.database.files.owners.iterdir()) == before
    assert set(threading.enumerate()) == threads


def break_marking(path: Path) -> None:
    """Let no run be marked as interrupted any more."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON runs WHEN NEW.status = 'interrupted'"
            " BEGIN SELECT RAISE(FAIL, 'not to be marked'); END"
        )
