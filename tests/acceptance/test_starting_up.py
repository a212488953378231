"""What a command loads before it does something."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.acceptance.desk import Desk

FINE = "  - {name: a, agent: fine, task: t, rollback: {agent: undo, task: t}}\n"


def loaded_by(desk: Desk, *words: str) -> set[str]:
    """The packages that a command imports, in the order of `-X importtime`."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orchestrate_tui", *words],
        cwd=desk.folder,
        env=desk.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(_packages(result.stderr))


def _packages(report: str) -> Iterator[str]:
    for line in report.splitlines():
        if line.startswith("import time:"):
            yield line.rpartition("|")[2].strip().partition(".")[0]


def test_only_a_migration_loads_the_library_for_migrations(desk: Desk) -> None:
    file = desk.pipeline(FINE)
    assert "sqlite_utils" in loaded_by(desk, "run", file)
    assert "sqlite_utils" not in loaded_by(desk, "run", file)


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        ("run shop.yaml", {"textual", "rich", "httpx", "sqlite_utils", "jsonschema"}),
        ("run shop.yaml --simulate", {"textual", "rich", "httpx", "sqlite_utils"}),
        ("runs", {"textual", "rich", "httpx", "sqlite_utils", "yaml", "anyio", "asyncio"}),
        ("show 1 --json", {"textual", "rich", "httpx", "sqlite_utils", "yaml", "anyio"}),
        ("logs 1 a", {"textual", "rich", "httpx", "sqlite_utils", "yaml", "anyio", "asyncio"}),
        ("validate shop.yaml", {"textual", "rich", "httpx", "sqlite3", "anyio", "asyncio"}),
        ("graph shop.yaml", {"textual", "rich", "httpx", "sqlite3", "anyio", "asyncio"}),
        ("--help", {"textual", "rich", "httpx", "sqlite3", "anyio", "yaml", "msgspec"}),
    ],
)
def test_a_command_loads_only_what_it_needs(desk: Desk, words: str, spared: set[str]) -> None:
    desk.do("run", desk.pipeline(FINE))
    loaded = loaded_by(desk, *words.split())
    assert "orchestrate_tui" in loaded
    assert loaded & spared == set()
