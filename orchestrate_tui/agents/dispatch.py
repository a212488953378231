"""From an agent's kind to the module that does its work."""

from __future__ import annotations

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
    """Each kind is loaded with the first agent of it: most pipelines have one or two."""
    match work.agent.kind:
        case AgentKind.COMMAND:
            from orchestrate_tui.agents.command import perform_command  # noqa: PLC0415

            return await perform_command(work, launcher)
        case AgentKind.SHELL:
            from orchestrate_tui.agents.shell import perform_shell  # noqa: PLC0415

            return await perform_shell(work, launcher)
        case AgentKind.PYTHON:
            from orchestrate_tui.agents.python import perform_python  # noqa: PLC0415

            return await perform_python(work, launcher)
        case AgentKind.HTTP:
            from orchestrate_tui.agents.http import perform_http  # noqa: PLC0415

            return await perform_http(work)
        case AgentKind.SIMULATED:
            from orchestrate_tui.agents.simulated import perform_simulated  # noqa: PLC0415

            return await perform_simulated(work)
