from __future__ import annotations

import os
import subprocess

import pytest

from orchestrate_tui.agents import leftovers
from orchestrate_tui.agents.leftovers import end_leftovers

pytestmark = pytest.mark.anyio


def left_process(key: str, script: str = "echo ready; read never") -> subprocess.Popen[str]:
    """A process as a dead executor leaves it, once it has begun."""
    process = subprocess.Popen(
        ["sh", "-c", script],
        env=os.environ | {"ORCHESTRATE_IDEMPOTENCY_KEY": key},
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


async def test_nothing_left_is_nothing_to_do() -> None:
    assert await end_leftovers(["run-3-deploy"], grace_s=10) == 0


async def test_what_ends_just_before_it_is_signalled_needs_no_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with left_process("run-4-deploy") as lost:
        has_mark = leftovers._has_mark

        def has_ended_since(pid: int, marks: frozenset[bytes]) -> bool:
            found = has_mark(pid, marks)
            if pid == lost.pid:
                lost.kill()
                lost.wait()
            return found

        monkeypatch.setattr(leftovers, "_marked", lambda _: [lost.pid])
        monkeypatch.setattr(leftovers, "_has_mark", has_ended_since)
        assert await end_leftovers(["run-4-deploy"], grace_s=10) == 0
