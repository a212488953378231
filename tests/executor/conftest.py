from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Timer

import pytest

from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.store.history import History
from tests.executor.scenery import Pipe, Pulse, Scene, end_processes_in

PATIENCE_S = 100


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is made."""
    return tmp_path / "state" / "store.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stages work."""
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.fixture(autouse=True)
def _watchdog(folder: Path) -> Iterator[None]:
    """Ends stages for which a failed test waits; nothing else would end their rollbacks."""
    timer = Timer(PATIENCE_S, end_processes_in, (folder,))
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


@pytest.fixture
async def scene(path: Path, folder: Path) -> AsyncIterator[Scene]:
    hub = Pulse()
    pipes = Pipe(folder / "ready"), Pipe(folder / "gate"), Pipe(folder / "other-gate")
    async with PipelineExecutor(path, hub=hub) as executor:
        history = History(path)
        made = Scene(executor, hub, folder, history, *pipes)
        yield made
        for other in made.others:
            other.close()
        end_processes_in(folder)
        history.close()
    for pipe in pipes:
        pipe.close()
