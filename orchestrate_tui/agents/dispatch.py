"""From an agent's kind to the module that does its work."""

from __future__ import annotations

from orchestrate_tui.agents import command, python, shell, simulated
from orchestrate_tui.agents.contract import Launcher, Outcome, Work
from orchestrate_tui.domain.pipeline import AgentKind
from orchestrate_tui.domain.variables import UnknownVariable, UnsafeValue


async def perform(work: Work, launcher: Launcher) -> Outcome:
    """Do one attempt and say how it ended.

    Whatever goes wrong with the work is an outcome with its reason. Cancelling ends what was
    started, within the agent's grace and a few seconds, and is then raised again.
    """
    try:
        return await _perform(work, launcher)
    except (UnknownVariable, UnsafeValue, UnicodeError) as error:
        reason = str(error)
    except OSError as error:
        return Outcome(succeeded=False, reason=f"cannot write the log: {error}")
    work.log.note(reason)
    return Outcome(succeeded=False, reason=reason)


async def _perform(work: Work, launcher: Launcher) -> Outcome:
    match work.agent.kind:
        case AgentKind.COMMAND:
            return await command.perform_command(work, launcher)
        case AgentKind.SHELL:
            return await shell.perform_shell(work, launcher)
        case AgentKind.PYTHON:
            return await python.perform_python(work, launcher)
        case AgentKind.HTTP:
            # httpx takes longer to import than most commands take to run
            from orchestrate_tui.agents import http  # noqa: PLC0415

            return await http.perform_http(work)
        case AgentKind.SIMULATED:
            return await simulated.perform_simulated(work)
