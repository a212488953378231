from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.executor.control import Control
from orchestrate_tui.store import open_database


def test_an_executor_that_cannot_begin_leaves_no_thread_behind(tmp_path: Path) -> None:
    with open_database(tmp_path / "runs.db") as database:
        before = set(threading.enumerate())
        database.files.owners.write_text("a file where a folder should be")
        with pytest.raises(StoreError, match="owners"):
            Control(database)
        assert set(threading.enumerate()) == before
