"""A database with an owner, somebody who reads it, and other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.history import History
from orchestrate_tui.store.owners import Ownership
from tests.store.scenery import REPOSITORY, Store

Process = subprocess.Popen[str]
Spawn = Callable[..., Process]


@pytest.fixture(autouse=True)
def _no_owner_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let go of every executor of a test, which would look alive to all that follow here."""
    made: list[Ownership] = []
    begin = Ownership.__init__

    def remembered(owner: Ownership, *given: Any) -> None:
        made.append(owner)
        begin(owner, *given)

    monkeypatch.setattr(Ownership, "__init__", remembered)
    yield
    for owner in made:
        owner._let_go()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made; its folder does not exist yet."""
    return tmp_path / "state" / "store.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path) as opened:
        yield opened


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    made = Store.of(database)
    yield made
    made.owner.release()


@pytest.fixture
def history(store: Store) -> Iterator[History]:
    opened = History(store.path)
    yield opened
    opened.close()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts a Python process with a script and its arguments; kills it when the test ends."""
    started: list[Process] = []

    def start(script: str, *arguments: object, package: Path = REPOSITORY) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", script, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(package)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
