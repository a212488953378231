from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrate_tui.agents import leftovers
from orchestrate_tui.agents.leftovers import end_leftovers

pytestmark = pytest.mark.anyio


def left_process(
    key: str, script: str = "echo ready; read never", **environment: str
) -> subprocess.Popen[str]:
    """A process as a dead executor leaves it, once it has begun."""
    process = subprocess.Popen(
        ["sh", "-c", script],
        env=os.environ | {"ORCHESTRATE_IDEMPOTENCY_KEY": key} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


async def test_what_works_under_a_key_is_ended_and_nothing_else() -> None:
    with left_process("run-1-deploy") as lost, left_process("run-1-deploy-2") as other:
        assert await end_leftovers(["run-1-deploy"], grace_s=10) == 1
        assert lost.wait(timeout=60) == -15
        assert other.poll() is None
        other.kill()


async def test_what_ignores_sigterm_is_killed_after_the_grace() -> None:
    stubborn = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with left_process("run-2-deploy", stubborn) as lost:
        assert await end_leftovers(["run-2-deploy"], grace_s=0.1) >= 1
        assert lost.wait(timeout=60) == -9


async def test_what_works_for_a_run_with_the_same_key_of_another_database_is_left_alone(
    tmp_path: Path,
) -> None:
    original, copy, moved = (tmp_path / name / "runs" / "5" for name in ("a", "b", "c"))
    for folder in (original, copy):
        folder.mkdir(parents=True)
    with left_process("run-5-deploy", ORCHESTRATE_OUTPUT=f"{original}/deploy.1.out") as lost:
        assert await end_leftovers(["run-5-deploy"], 10, copy) == 0
        moved.parent.mkdir(parents=True)
        original.rename(moved)
        assert await end_leftovers(["run-5-deploy"], 10, moved) == 1
        assert lost.wait(timeout=60) == -15


async def test_nothing_left_is_nothing_to_do() -> None:
    assert await end_leftovers(["run-3-deploy"], grace_s=10) == 0


async def test_what_ends_just_before_it_is_signalled_needs_no_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with left_process("run-4-deploy") as lost:
        has = leftovers._Wanted.has

        def has_ended_since(wanted: leftovers._Wanted, pid: int) -> bool:
            found = has(wanted, pid)
            lost.kill()
            lost.wait()
            return found

        monkeypatch.setattr(leftovers, "_pids", lambda: [lost.pid])
        monkeypatch.setattr(leftovers._Wanted, "has", has_ended_since)
        assert await end_leftovers(["run-4-deploy"], grace_s=10) == 0
