"""What `${name}` refers to: names that nothing defines, and outputs that cannot be told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from orchestrate_tui.domain.components import COMPONENT
from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.domain.release import PREVIOUS
from orchestrate_tui.domain.snapshot import SNAPSHOT
from orchestrate_tui.domain.variables import BUILT_IN, output_name, output_reference
from orchestrate_tui.errors import Severity
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.names import collisions, environment_names
from orchestrate_tui.spec.report import Place, Report, shown
from orchestrate_tui.spec.templates import Assignment, Template

Lack = tuple[str, str]
"""What a stage lacks that a name needs, and what to do."""

_OF_UNDOS = (PREVIOUS, SNAPSHOT)
"""How names begin that, like that of a component, are known while something is undone."""


def check_variables(loaded: LoadedPipeline, used: Iterable[Template], report: Report) -> None:
    """Refuse forms that are not yet available, and names that meet in one environment variable."""
    declared = dict(loaded.pipeline.variables)
    outputs: dict[tuple[str, str], Place] = {}
    for template in used:
        for name in template.names:
            if name not in declared and (name == COMPONENT or name.startswith(_OF_UNDOS)):
                _refuse_in_vain(template, name, report)
            output = output_reference(name)
            if output is not None and output not in outputs:
                outputs[output] = template.place
    _refuse_collisions(declared, outputs, report)
    _refuse_output_names(loaded, declared, report)


def _refuse_in_vain(template: Template, name: str, report: Report) -> None:
    """Refuse a name that only undos know where there is no undo, or where it can have no value.

    An agent that undoes several stages may name what only some of them have.
    """
    is_own = template.path[0] == "stages"
    for user in template.users:
        lack = _lack_of_undo(name, template, user)
        if lack is None and is_own:
            lack = _lack_of_value(name, user.stage, report)
        if lack is not None:
            what, hint = lack
            who = f"'${{{shown(name)}}}': stage '{user.stage.name}'"
            report.error(template.place, f"{who} {what}", hint)
            return


def _lack_of_undo(name: str, template: Template, user: Assignment) -> Lack | None:
    if user.undo or (name == COMPONENT and "snapshot" in template.path):
        return None
    also = ", in snapshot: paths:," if name == COMPONENT else ""
    hint = f"name it in a rollback:{also} or in an agent that only undoes"
    return "knows it only while it is undone", hint


def _lack_of_value(name: str, stage: Stage, report: Report) -> Lack | None:
    """What a stage lacks: components, an environment in which it makes releases, or that value."""
    if name == COMPONENT:
        return None if stage.components else ("has no components", "add components:")
    if name.startswith(PREVIOUS):
        hint = "give the stage one, so that it makes releases"
        return None if stage.environment is not None else ("has no environment", hint)
    kept = dict(stage.snapshot.values) if stage.snapshot else {}
    value = name.removeprefix(SNAPSHOT)
    if value in kept:
        return None
    hint = report.suggestion(value, kept) or "add it to the stage's snapshot: values:"
    return "keeps no such value", hint


def _refuse_collisions(
    declared: Collection[str], outputs: dict[tuple[str, str], Place], report: Report
) -> None:
    places = {f"stages.{stage}.{key}": place for (stage, key), place in outputs.items()}
    for name, first, variable in collisions(environment_names(declared, (), outputs)):
        if name in places:
            report.error(
                places[name],
                f"'{name}' and '{first}' would both be the environment variable {variable}",
                "rename one of them",
            )


def _refuse_output_names(loaded: LoadedPipeline, declared: Collection[str], report: Report) -> None:
    prefixes = {output_name(stage, ""): stage for stage in loaded.graph.names}
    for name, variable in environment_names(declared, (), ()):
        stage = next((s for prefix, s in prefixes.items() if variable.startswith(prefix)), None)
        if stage is not None:
            message = f"the variable '{name}' looks like an output of stage '{stage}'"
            report.error(loaded.document.at("variables", name), message, "rename it")


def report_unknown(
    loaded: LoadedPipeline,
    used: Iterable[Template],
    given: Iterable[str],
    report: Report,
    severity: Severity,
) -> None:
    """Report every `${name}` that neither the file nor `given` nor a stage defines."""
    known = {*dict(loaded.pipeline.variables), *given, *BUILT_IN}
    tell = report.error if severity is Severity.ERROR else report.warning
    for template, name in _unknown(loaded, used, known):
        hint = report.suggestion(name, known) or "declare it under variables: or give it with --var"
        tell(template.place, f"unknown variable '${{{shown(name)}}}'", hint)


def _unknown(
    loaded: LoadedPipeline, used: Iterable[Template], known: Collection[str]
) -> Iterator[tuple[Template, str]]:
    for template in used:
        for name in template.names:
            output = output_reference(name)
            is_output = output is not None and output[0] in loaded.graph.position
            is_itself = name == "task" and template.is_task
            is_known = name in known or is_output or name.startswith((PREVIOUS, SNAPSHOT))
            is_known = is_known or name == COMPONENT
            if is_itself or not is_known:
                yield template, name
