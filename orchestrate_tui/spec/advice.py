"""What somebody should look at in a pipeline that can be used as it is."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Stage
from orchestrate_tui.domain.rollback import undo_of
from orchestrate_tui.domain.variables import output_name, output_reference, references
from orchestrate_tui.errors import Severity
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.report import Report, shown
from orchestrate_tui.spec.secret_values import report_unfit_secrets
from orchestrate_tui.spec.templates import Template, assignments, templates
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

    def has(self, stage: str, ancestor: str) -> bool:
        """Whether `ancestor` ends before `stage` starts."""
        return bool(self._before[stage] & self._bit[ancestor])


def advise(loaded: LoadedPipeline, report: Report) -> None:
    """Add the warnings about `loaded` to `report`."""
    used = tuple(templates(loaded))
    ancestors = _Ancestors(loaded.graph)
    report_undefined_agents(loaded, report, Severity.WARNING)
    report_unknown(loaded, used, (), report, Severity.WARNING)
    _about_rollback_targets(loaded, ancestors, report)
    _about_outputs(loaded, used, ancestors, report)
    _about_names(loaded, report)
    _about_values(loaded, report)
    report_unfit_secrets(loaded, report, Severity.WARNING)


def report_undefined_agents(loaded: LoadedPipeline, report: Report, severity: Severity) -> None:
    """Report every agent that a stage or its undo names and nobody defines."""
    known = loaded.agents()
    tell = report.error if severity is Severity.ERROR else report.warning
    for one in assignments(loaded):
        if one.named and one.agent not in known:
            what = "is undone by" if one.undo else "uses"
            hint = report.suggestion(one.agent, known)
            tell(
                loaded.document.at(*one.path),
                f"Stage '{one.stage.name}' {what} agent '{one.agent}', which nobody defines",
                hint or "define it under agents: or try the pipeline with --simulate",
            )


def _about_rollback_targets(loaded: LoadedPipeline, ancestors: _Ancestors, report: Report) -> None:
    defined = {stage.name: stage for stage in loaded.pipeline.stages}
    has_rollback_agent = ROLLBACK_AGENT in loaded.agents()
    for index, stage in loaded.placed_stages():
        target = stage.rollback_target
        if target is None:
            continue
        place = loaded.document.at(
            "stages", index, "rollback_to" if stage.rollback_to else "on_failure"
        )
        if undo_of(defined[target], target, has_rollback_agent=has_rollback_agent) is None:
            report.warning(
                place,
                f"Stage '{target}' is a rollback target but has nothing to undo it",
                f"give it rollback: or define an agent named {ROLLBACK_AGENT}",
            )
        if target != stage.name and not ancestors.has(stage.name, target):
            report.warning(
                place,
                f"Stage '{stage.name}' rolls back to '{target}', which does not run before it",
            )


def _about_outputs(
    loaded: LoadedPipeline, used: Iterable[Template], ancestors: _Ancestors, report: Report
) -> None:
    for template in used:
        for name in template.names:
            source, _ = output_reference(name) or ("", "")
            if source not in loaded.graph.position:
                continue
            for user in template.users:
                own = user.undo and user.stage.name == source
                if not own and not ancestors.has(user.stage.name, source):
                    report.warning(
                        template.place,
                        f"Stage '{user.stage.name}' reads '${{{name}}}',"
                        f" but '{source}' does not end before it starts",
                        "add it to depends_on",
                    )


def _about_names(loaded: LoadedPipeline, report: Report) -> None:
    seen: dict[str, Stage] = {}
    for index, stage in loaded.placed_stages():
        first = seen.setdefault(output_name(stage.name, ""), stage)
        if first is not stage:
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
