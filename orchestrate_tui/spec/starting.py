"""What makes `run` refuse a pipeline before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrate_tui.domain.pipeline import Agent, AgentKind
from orchestrate_tui.domain.variables import (
    UnsafeValue,
    references,
    render_command,
    substitute,
)
from orchestrate_tui.errors import Problem, Severity
from orchestrate_tui.spec.advice import report_late_outputs, report_undefined_agents
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.names import collisions, environment_names, why_reserved
from orchestrate_tui.spec.report import Place, Report, shown
from orchestrate_tui.spec.secret_values import known_values, report_unfit_secrets
from orchestrate_tui.spec.templates import Assignment, assignments, templates
from orchestrate_tui.spec.variables import report_unknown

_SOME_VALUE = "value"
"""Stands in for an output that is not known before the run."""


def problems_for_run(
    loaded: LoadedPipeline, variables: Mapping[str, str], *, simulate: bool
) -> tuple[Problem, ...]:
    """Everything that stands in the way of a run with these `--var` values, by file and line.

    A simulated run needs no agents and leaves unknown variables as they are: it has no problems.
    """
    if simulate:
        return ()
    files = [document.file for document in loaded.agent_documents.values()]
    report = Report(loaded.file, *dict.fromkeys(file for file in files if file != loaded.file))
    _check_given(loaded, variables, report)
    report_undefined_agents(loaded, report)
    used = tuple(templates(loaded))
    report_unknown(loaded, used, variables, report, Severity.ERROR)
    report_late_outputs(loaded, used, report)
    _check_values(loaded, variables, report)
    report_unfit_secrets(loaded, report, Severity.ERROR)
    return report.errors


def _check_given(loaded: LoadedPipeline, given: Mapping[str, str], report: Report) -> None:
    place = Place(file=loaded.file)
    for name, value in given.items():
        reason = why_reserved(name)
        if reason:
            report.error(place, f"--var {shown(name)}: the name {reason}", "use another name")
        if "\0" in value:
            report.error(place, f"--var {shown(name)}: the value contains a NUL character")
    declared = dict(loaded.pipeline.variables)
    for name, first, variable in collisions(environment_names(declared, given, ())):
        message = f"'{name}' and '{first}' would both be the environment variable {variable}"
        report.error(place, f"--var {name}: {message}", "use another name")


def _check_values(loaded: LoadedPipeline, given: Mapping[str, str], report: Report) -> None:
    static = {**dict(loaded.pipeline.variables), **given}
    agents = loaded.agents()
    secret = known_values(loaded)
    for one in assignments(loaded):
        agent = agents.get(one.agent)
        if agent is None or agent.kind is not AgentKind.COMMAND:
            continue
        for position, reason in _unsafe_items(agent, one, static):
            place = loaded.agent_documents[agent.name].at("agents", agent.name, "command", position)
            report.error(
                place,
                f"Stage '{one.stage.name}': {_without(secret, reason)}",
                "put '--' or some text before the variable",
            )


def _without(secret: Iterable[str], text: str) -> str:
    for value in secret:
        text = text.replace(value, "***")
    return text


def _unsafe_items(
    agent: Agent, assignment: Assignment, static: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    names = (name for item in agent.command for name in references(item))
    values = {
        **dict.fromkeys(names, _SOME_VALUE),
        **static,
        "task": substitute(assignment.task, static, keep_unknown=True),
        "stage": assignment.stage.name,
        "run_id": "1",
    }
    for position, item in enumerate(agent.command):
        before = agent.command[:position]
        try:
            render_command(("--", item) if "--" in before else (item,), values)
        except UnsafeValue as error:
            yield position, str(error)
