"""Warnings about scripts that do not read what they are told to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrate_tui.domain.pipeline import Agent, Pairs
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.report import Report
from orchestrate_tui.spec.templates import Assignment, assignments

TASK = "$ORCHESTRATE_TASK"

_TELLS_APART = re.compile(r"ORCHESTRATE_(?!OUTPUT|ATTEMPT|RUN_ID|AGENT|PIPELINE_DIR)")
"""A variable of this program that is another one for another stage, or for its undo."""

_SHELL_VARIABLE = re.compile(r"\$(task\b|\{task\b)")
_IS_GIVEN = re.compile(r"\btask=|\b(for|read|local|export)\b[^\n]*\btask\b")


def report_unread_tasks(loaded: LoadedPipeline, report: Report) -> None:
    """Warn, at its script, of each agent for which it makes no difference what it is told."""
    told: dict[str, list[Assignment]] = {}
    for one in assignments(loaded):
        if one.task:
            told.setdefault(one.agent, []).append(one)
    for name, agent in loaded.agents().items():
        if agent.shell and name in told:
            _report(agent, told[name], loaded, report)


def _report(agent: Agent, told: list[Assignment], loaded: LoadedPipeline, report: Report) -> None:
    place = loaded.agent_documents[agent.name].at("agents", agent.name, "shell")
    if _takes_task_for_a_template(agent, told):
        message = f"Agent '{agent.name}' reads a variable 'task', which its script does not have"
        report.warning(place, message, f"what it is told is {TASK}")
    elif not _TELLS_APART.search(agent.shell) and (pair := _alike(told)):
        doing = " and ".join(map(_doing, pair))
        message = f"Agent '{agent.name}' does the same {doing}: its script never reads {TASK}"
        report.warning(place, message, "read it, or give each of them an agent of its own")


def _takes_task_for_a_template(agent: Agent, told: Iterable[Assignment]) -> bool:
    """Whether the script reads `${task}` as if that were filled in, as in a command."""
    if not _SHELL_VARIABLE.search(agent.shell) or _IS_GIVEN.search(agent.shell):
        return False
    return all(name != "task" for one in told for name, _ in (*agent.env, *one.stage.env))


def _alike(told: list[Assignment]) -> tuple[Assignment, Assignment] | None:
    """Two that are told different things, and have nothing else by which to know what to do."""
    first: dict[tuple[Pairs, str | None], Assignment] = {}
    for one in told:
        before = first.setdefault((one.stage.env, one.stage.workdir), one)
        if before.task != one.task:
            return before, one
    return None


def _doing(one: Assignment) -> str:
    return f"to undo stage '{one.stage.name}'" if one.undo else f"for stage '{one.stage.name}'"
