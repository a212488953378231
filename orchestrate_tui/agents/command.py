"""The `command` agent: a program and its arguments, without a shell."""

from __future__ import annotations

from orchestrate_tui.agents.contract import Launcher, Outcome, Work
from orchestrate_tui.agents.environment import text_values
from orchestrate_tui.agents.process import run_program
from orchestrate_tui.domain.variables import render_command


async def perform_command(work: Work, launcher: Launcher) -> Outcome:
    """Run the program; each item of the command stays one argument whatever its values hold."""
    return await run_program(work, launcher, render_command(work.agent.command, text_values(work)))
