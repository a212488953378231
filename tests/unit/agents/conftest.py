from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread
import pytest

from orchestrate_tui.agents import perform
from orchestrate_tui.agents.contract import Outcome, Work
from orchestrate_tui.agents.hosted import HostLauncher
from orchestrate_tui.domain.pipeline import Agent, AgentKind


class MakeWork(Protocol):
    """Work for an agent of any kind; keywords of Agent go to the agent, all others to the work."""

    def __call__(self, **settings: Any) -> Work: ...


Run = Callable[[Work], Coroutine[Any, Any, Outcome]]

_AGENT_FIELDS = frozenset(Agent.__dataclass_fields__) - {"timeout_s", "workdir", "kind", "name"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def make_work(tmp_path: Path) -> MakeWork:
    """Its key is of this test alone: another one, beside it, ends what works under its own."""
    folder = tmp_path / "work"
    folder.mkdir()

    def make(**settings: Any) -> Work:
        of_agent = {name: settings.pop(name) for name in _AGENT_FIELDS & settings.keys()}
        of_agent["workdir"] = settings.pop("agent_workdir", None)
        kind = next(kind for kind in AgentKind if kind.value in of_agent)
        fields: dict[str, Any] = {
            "run_id": 7,
            "stage_name": "deploy",
            "agent": Agent(name="deployer", kind=kind, **of_agent),
            "task": "Deploy it",
            "attempt": 1,
            "workdir": folder,
            "log_path": tmp_path / "runs" / "7" / "deploy.1.log",
            "idempotency_key": f"7/{os.getpid()}/{tmp_path.name}",
        }
        return Work(**(fields | settings))

    return make


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[HostLauncher]:
    host = HostLauncher(tmp_path / "host")
    yield host
    host.close()


@pytest.fixture
def run(launcher: HostLauncher) -> Run:
    async def run_work(work: Work) -> Outcome:
        return await perform(work, launcher)

    return run_work


class Signals:
    """A named pipe on which a stage tells the test that it got somewhere."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path

    async def heard(self) -> str:
        """Wait until a stage has written, and closed, its message."""
        return (await anyio.to_thread.run_sync(self.path.read_text)).strip()


@pytest.fixture
def ready(tmp_path: Path) -> Signals:
    return Signals(tmp_path / "ready")


def is_running(pid: int | str) -> bool:
    """Whether the process exists and is more than an entry that waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture(name="is_running")
def is_running_fixture() -> Callable[[int | str], bool]:
    return is_running
