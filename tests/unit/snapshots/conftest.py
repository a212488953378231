"""A working folder, and a place to keep snapshots of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.snapshots.shelf import Shelf


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "store.db.snapshots")
