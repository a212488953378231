"""Where the file system is asked to place the folders of runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrate_tui.store import open_database


def attributes(folder: Path) -> str:
    """What lsattr(1) says of a folder; skips where it cannot say anything."""
    if shutil.which("lsattr") is None:
        pytest.skip("lsattr (Debian package e2fsprogs) is not installed")
    asked = subprocess.run(["lsattr", "-d", folder], capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip(f"the file system of {folder} has no such attributes")
    return asked.stdout.split()[0]


def test_folders_of_runs_are_spread_over_the_disk(tmp_path: Path) -> None:
    assert "T" not in attributes(tmp_path)
    with open_database(tmp_path / "runs.db") as database:
        assert "T" in attributes(database.files.runs)


def test_a_database_opens_where_the_file_system_takes_no_hint() -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir():
        pytest.skip("there is no /dev/shm")
    folder = Path(subprocess.check_output(["mktemp", "-d", "-p", shared_memory], text=True).strip())
    try:
        with open_database(folder / "runs.db") as database:
            assert database.files.runs.is_dir()
    finally:
        shutil.rmtree(folder)
