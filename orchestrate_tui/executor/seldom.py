"""What an executor seldom needs: loaded when it has worked for a moment, not before it begins.

A run may last for longer than the files that it was started from stay as they were, and it is
when something goes wrong that most of this is asked for.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import anyio
import anyio.lowlevel

MOMENT_S = 1.0

_AGENTS = ("command", "python", "shell", "simulated")
_EXECUTOR = (
    *("asking", "clerk", "conversation", "manual_rollbacks", "planning", "rehearsals"),
    *("rulings", "service", "taking_over", "unrecorded"),
)
MODULES = (
    *(f"orchestrate_tui.agents.{name}" for name in _AGENTS),
    *(f"orchestrate_tui.executor.{name}" for name in _EXECUTOR),
)
"""With what they need themselves it is all but snapshots, and the agent that takes the longest."""


async def load_seldom() -> None:
    """Load all of it, and let others work in between; who needs what is not there will say so."""
    await anyio.sleep(MOMENT_S)
    with suppress(ImportError, OSError):
        for name in MODULES:
            import_module(name)
            await anyio.lowlevel.checkpoint()
