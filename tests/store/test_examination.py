"""Looking at a database without changing it."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.examination import check_database, library_version

PAGE = 4096


def test_a_sound_database_is_called_so(path: Path) -> None:
    open_database(path).close()
    before = path.read_bytes()
    assert check_database(path) == f"{path} is sound, its schema is current"
    assert path.read_bytes() == before


def test_a_database_that_is_not_up_to_date_is_sound(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert check_database(path).endswith("the next run brings its schema up to date")


def test_a_damaged_database_is_called_so(path: Path) -> None:
    open_database(path).close()
    content = bytearray(path.read_bytes())
    for page in range(PAGE, len(content), PAGE):
        content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(StoreError, match=re.escape(str(path))):
        check_database(path)


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="is a database of another program"):
        check_database(path)


def test_the_library_says_its_version() -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", library_version())
