"""What somebody should look at in a pipeline that can be used as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Stage
from orchestrate_tui.domain.rollback import is_undone_as_target
from orchestrate_tui.domain.variables import output_name, output_reference, references
from orchestrate_tui.errors import Problem, Severity
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.notifying import report_unset_channels
from orchestrate_tui.spec.report import Report, shown
from orchestrate_tui.spec.secret_values import report_unfit_secrets
from orchestrate_tui.spec.templates import Assignment, Template, assignments, templates
from orchestrate_tui.spec.unread_tasks import report_unread_tasks
from orchestrate_tui.spec.variables import report_unknown


class _Ancestors:
    """Which stages end before which start, for all stages at once: one bit for each stage."""

    def __init__(self, graph: StageGraph) -> None:
        self._bit = {name: 1 << position for name, position in graph.position.items()}
        self._before: dict[str, int] = {}
        for name in graph.order:
            bits = 0
            for dependency in graph.dependencies[name]:
                bits |= self._before[dependency] | self._bit[dependency]
            self._before[name] = bits

    def lacks(self, stage: str, ancestor: str) -> bool:
        """Whether `ancestor` does not end before `stage` starts; not known on or after a cycle."""
        before = self._before.get(stage)
        return before is not None and not before & self._bit[ancestor]


def advise(loaded: LoadedPipeline, report: Report) -> None:
    """Add the warnings about `loaded` to `report`; what has errors is missing from it."""
    used = tuple(templates(loaded))
    ancestors = _Ancestors(loaded.graph)
    _about_agents(loaded, report)
    report_unknown(loaded, used, (), report, Severity.WARNING)
    _about_rollback_targets(loaded, ancestors, report)
    _about_outputs(loaded, used, ancestors, report)
    _about_names(loaded, report)
    _about_values(loaded, report)
    report_unfit_secrets(loaded, report, Severity.WARNING)
    report_unset_channels(loaded, report)
    report_unread_tasks(loaded, report)


def report_undefined_agents(loaded: LoadedPipeline, report: Report) -> None:
    """Report every place where a stage or its undo names an agent that nobody defines."""
    for one in _undefined(loaded):
        what = "is undone by" if one.undo else "uses"
        message = f"Stage '{one.stage.name}' {what} agent '{one.agent}', which nobody defines"
        place = loaded.document.at(*one.path)
        report.error(place, message, _how_to_define(one.agent, loaded, report))


def warnings_for_run(loaded: LoadedPipeline, *, simulate: bool) -> tuple[Problem, ...]:
    """What somebody should look at before a run; a simulated one needs no agents."""
    if not simulate:
        return loaded.warnings
    needless = Report(loaded.file)
    _about_agents(loaded, needless)
    messages = {problem.message for problem in needless.warnings}
    return tuple(one for one in loaded.warnings if one.message not in messages)


def _about_agents(loaded: LoadedPipeline, report: Report) -> None:
    """Warn once of each agent that nobody defines, where it is named first."""
    found: dict[tuple[str, bool], list[Assignment]] = {}
    for one in _undefined(loaded):
        found.setdefault((one.agent, one.undo), []).append(one)
    for (agent, undo), (first, *others) in found.items():
        who = f"Stage '{first.stage.name}'"
        if others:
            who += f" and {len(others)} other{'s' * (len(others) > 1)}"
            what = "are undone by" if undo else "use"
        else:
            what = "is undone by" if undo else "uses"
        message = f"{who} {what} agent '{agent}', which nobody defines"
        place = loaded.document.at(*first.path)
        report.warning(place, message, _how_to_define(agent, loaded, report))


def _undefined(loaded: LoadedPipeline) -> Iterator[Assignment]:
    known = {*loaded.agents(), ""}  # that a stage names none is an error of its own
    return (one for one in assignments(loaded) if one.named and one.agent not in known)


def _how_to_define(agent: str, loaded: LoadedPipeline, report: Report) -> str:
    hint = report.suggestion(agent, loaded.agents())
    return hint or "define it under agents: or try the pipeline with --simulate"


def _about_rollback_targets(loaded: LoadedPipeline, ancestors: _Ancestors, report: Report) -> None:
    defined = {stage.name: stage for stage in loaded.pipeline.stages}
    for index, stage in loaded.placed_stages():
        target = stage.rollback_target
        if target not in defined:  # none, or one that nobody can go back to
            continue
        place = loaded.document.at(
            "stages", index, "rollback_to" if stage.rollback_to else "on_failure"
        )
        if report.blames(place):
            continue
        if not is_undone_as_target(loaded.pipeline, defined[target], simulated=False):
            report.warning(
                place,
                f"Stage '{target}' is a rollback target but has nothing to undo it",
                f"give it rollback: or define an agent named {ROLLBACK_AGENT}",
            )
        if target != stage.name and ancestors.lacks(stage.name, target):
            report.warning(
                place,
                f"Stage '{stage.name}' rolls back to '{target}', which does not run before it",
            )


def _about_outputs(
    loaded: LoadedPipeline, used: Iterable[Template], ancestors: _Ancestors, report: Report
) -> None:
    for template, name, source, user in _outputs_read(loaded, used):
        own = user.undo and user.stage.name == source
        if not own and ancestors.lacks(user.stage.name, source):
            report.warning(
                template.place,
                f"Stage '{user.stage.name}' reads '${{{name}}}',"
                f" but '{source}' does not end before it starts",
                "add it to depends_on",
            )


def report_late_outputs(loaded: LoadedPipeline, used: Iterable[Template], report: Report) -> None:
    """Report outputs that no stage can know when it reads them: its own, and of those after it."""
    ancestors = _Ancestors(loaded.graph)
    for template, name, source, user in _outputs_read(loaded, used):
        reader = user.stage.name
        if not user.undo and (source == reader or not ancestors.lacks(source, reader)):
            report.error(
                template.place,
                f"Stage '{reader}' reads '${{{name}}}', which nobody knows before it has ended",
                f"let it come after '{source}'" if source != reader else "",
            )


def _outputs_read(
    loaded: LoadedPipeline, used: Iterable[Template]
) -> Iterator[tuple[Template, str, str, Assignment]]:
    """Every reference to an output: where, its name, the stage it is of, and who reads it."""
    for template in used:
        for name in template.names:
            source, _ = output_reference(name) or ("", "")
            if source in loaded.graph.position:
                yield from ((template, name, source, user) for user in template.users)


def _about_names(loaded: LoadedPipeline, report: Report) -> None:
    seen: dict[str, Stage] = {}
    for index, stage in loaded.placed_stages():
        first = seen.setdefault(output_name(stage.name, ""), stage)
        if first.name != stage.name:
            report.warning(
                loaded.document.at("stages", index, "name"),
                f"Outputs of '{stage.name}' and '{first.name}' have the same environment variables",
                "read them as ${stages.<stage>.<key>}, or rename one of the stages",
            )


def _about_values(loaded: LoadedPipeline, report: Report) -> None:
    for name, value in loaded.pipeline.variables:
        for reference in references(value):
            report.warning(
                loaded.document.at("variables", name),
                f"'${{{shown(reference)}}}' in the value of a variable is not replaced",
            )
