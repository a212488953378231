"""What `${name}` refers to: names that nothing defines, and outputs that cannot be told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from orchestrate_tui.domain.components import COMPONENT
from orchestrate_tui.domain.release import PREVIOUS
from orchestrate_tui.domain.snapshot import SNAPSHOT
from orchestrate_tui.domain.variables import BUILT_IN, output_name, output_reference
from orchestrate_tui.errors import Severity
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.names import collisions, environment_names
from orchestrate_tui.spec.report import Place, Report, shown
from orchestrate_tui.spec.templates import Template


def check_variables(loaded: LoadedPipeline, used: Iterable[Template], report: Report) -> None:
    """Refuse forms that are not yet available, and names that meet in one environment variable."""
    declared = dict(loaded.pipeline.variables)
    outputs: dict[tuple[str, str], Place] = {}
    for template in used:
        for name in template.names:
            if name == COMPONENT and name not in declared:
                _refuse_without_component(template, report)
            if name.startswith(PREVIOUS) and name not in declared:
                _refuse_without_release(template, name, report)
            if name.startswith(SNAPSHOT) and name not in declared:
                _refuse_without_value(template, name, report)
            output = output_reference(name)
            if output is not None and output not in outputs:
                outputs[output] = template.place
    _refuse_collisions(declared, outputs, report)
    _refuse_output_names(loaded, declared, report)


def _refuse_without_release(template: Template, name: str, report: Report) -> None:
    """Refuse `${previous.…}` where there can be no earlier release.

    An agent that undoes several stages may name it although some of them have no environment.
    """
    is_own = template.path[0] == "stages"
    for user in template.users:
        who = f"'${{{shown(name)}}}': stage '{user.stage.name}'"
        if not user.undo:
            hint = "name it in a rollback: or in an agent that only undoes"
            report.error(template.place, f"{who} knows it only while it is undone", hint)
            return
        if is_own and user.stage.environment is None:
            hint = "give the stage one, so that it makes releases"
            report.error(template.place, f"{who} has no environment", hint)
            return


def _refuse_without_component(template: Template, report: Report) -> None:
    """Refuse `${component}` where nothing is done for one component alone.

    An agent that undoes several stages may name it although some of them have no components.
    """
    is_own = template.path[0] == "stages"
    for user in template.users:
        who = f"'${{{COMPONENT}}}': stage '{user.stage.name}'"
        if not user.undo and "snapshot" not in template.path:
            hint = "name it in a rollback:, in snapshot: paths:, or in an agent that only undoes"
            report.error(template.place, f"{who} knows it only while it is undone", hint)
            return
        if is_own and not user.stage.components:
            report.error(template.place, f"{who} has no components", "add components:")
            return


def _refuse_without_value(template: Template, name: str, report: Report) -> None:
    """Refuse `${snapshot.…}` where no such value was kept.

    An agent that undoes several stages may name what only some of them keep.
    """
    is_own = template.path[0] == "stages"
    for user in template.users:
        who = f"'${{{shown(name)}}}': stage '{user.stage.name}'"
        if not user.undo:
            hint = "name it in a rollback: or in an agent that only undoes"
            report.error(template.place, f"{who} knows it only while it is undone", hint)
            return
        kept = dict(user.stage.snapshot.values) if user.stage.snapshot else {}
        if is_own and name.removeprefix(SNAPSHOT) not in kept:
            hint = report.suggestion(name.removeprefix(SNAPSHOT), kept)
            report.error(
                template.place,
                f"{who} keeps no such value",
                hint or "add it to the stage's snapshot: values:",
            )
            return


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
