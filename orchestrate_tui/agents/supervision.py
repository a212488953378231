"""The end of a process tree: its own, at its time limit, or because the stage was cancelled."""

from __future__ import annotations

import signal

import anyio

from orchestrate_tui.agents.contract import Process
from orchestrate_tui.values import dataclass

_KILL_PATIENCE_S = (1.0, 4.0, 15.0)
"""How long to wait after each SIGKILL; those after the first are for what was forked during one,
and for a machine that has so much to do that it takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process tree ended.

    `code` None means that its head was still there after SIGKILL. `left_running` says that the
    head had ended by itself before the rest of its tree, and `survived` that something is left.
    """

    code: int | None
    timed_out: bool
    left_running: bool = False
    survived: bool = False


async def supervise(process: Process, *, timeout_s: float | None, grace_s: float) -> Ending:
    """Wait for the end of `process` and end what is left of its tree.

    `timeout_s` None means no limit. When the limit is reached, or the task is cancelled, the tree
    gets SIGTERM, after `grace_s` SIGKILL. A cancellation is raised again when that is done.
    Raises OSError when its end can no longer be known.
    """
    code: int | None = None
    lives = survived = timed_out = False
    left_s = None if timeout_s is None else max(timeout_s - process.ran_s, 0.0)
    try:
        code = await _wait(process, left_s)
        timed_out = code is None or process.timed_out
    finally:
        lives = process.tree_lives()
        if lives:
            survived = not await end_tree(process, grace_s)
    if code is None and not survived:
        code = await process.wait()
    return Ending(
        code=code, timed_out=timed_out, left_running=lives and not timed_out, survived=survived
    )


async def _wait(process: Process, limit_s: float | None) -> int | None:
    """Its exit code; None when it has not ended within the limit."""
    if limit_s is None:
        return await process.wait()
    with anyio.move_on_after(limit_s):
        return await process.wait()
    return None


async def end_tree(process: Process, grace_s: float) -> bool:
    """End the tree, not to be disturbed by a cancellation; whether that succeeded in time."""
    kills = ((signal.SIGKILL, patience_s) for patience_s in _KILL_PATIENCE_S)
    for number, limit_s in ((signal.SIGTERM, grace_s), *kills):
        process.signal_tree(number)
        with anyio.move_on_after(limit_s, shield=True):
            await process.wait_tree()
            return True
    return False
