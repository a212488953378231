"""The `shell` agent: a script for /bin/sh, which meets values only as environment variables."""

from __future__ import annotations

from orchestrate_tui.agents.contract import Launcher, Outcome, Work
from orchestrate_tui.agents.process import run_program


async def perform_shell(work: Work, launcher: Launcher) -> Outcome:
    """Run the script as it stands in the file; it ends at the first command that fails."""
    return await run_program(work, launcher, ("/bin/sh", "-e", "-c", work.agent.shell))
