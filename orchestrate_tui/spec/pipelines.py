"""A whole pipeline file: its settings, and what has to hold between them."""

from __future__ import annotations

from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.pipeline import DEFAULT_MAX_PARALLEL, Pipeline, Trigger
from orchestrate_tui.spec.agents import AGENTS
from orchestrate_tui.spec.environments import ENVIRONMENTS, environments
from orchestrate_tui.spec.names import (
    VARIABLES,
    collisions,
    environment_names,
    why_reserved,
)
from orchestrate_tui.spec.notifying import NOTIFY
from orchestrate_tui.spec.readers import NAMES, WORDS, Flag, ListOf, Text, Whole
from orchestrate_tui.spec.records import Field, Record, Shorthand, Values
from orchestrate_tui.spec.report import shown
from orchestrate_tui.spec.secrets import SECRETS, check_secrets
from orchestrate_tui.spec.stages import STAGE

_TRIGGER = Shorthand(
    plain=WORDS,
    expand=lambda event: Trigger(event=event),
    record=Record(
        title="a trigger",
        definition="trigger",
        build=lambda values: Trigger(event=values["event"], branches=values["branches"]),
        fields=(
            Field(
                key="event",
                reader=Text(),
                description="The event, such as pull_request.merged.",
                default="",
                required="a trigger must name its event",
            ),
            Field(
                key="branches",
                reader=NAMES,
                description="Globs of the branches it counts for; any branch when not written.",
                default=(),
            ),
        ),
    ),
)


def _pipeline(values: Values) -> Pipeline:
    _check_variables(values)
    _check_environments(values)
    _check_parts(values)
    check_secrets(values)
    return Pipeline(
        name=values["name"],
        description=values["description"],
        version=values["version"],
        triggers=values["triggers"],
        variables=values["variables"],
        secrets=values["secrets"],
        environments=environments(values["environments"]),
        agents=values["agents"],
        max_parallel=values["max_parallel"],
        fail_fast=values["fail_fast"],
        parallel_rollback=values["parallel_rollback"],
        notify=values["notify"],
        stages=values["stages"],
    )


def _check_variables(values: Values) -> None:
    names = [name for name, _ in values["variables"]]
    for name in names:
        reason = why_reserved(name)
        if reason:
            values.error(("variables", name), f"the variable '{name}' {reason}", "rename it")
    for name, first, variable in collisions(environment_names(names, (), ())):
        values.error(
            ("variables", name),
            f"'{name}' and '{first}' would both be the environment variable {variable}",
            "rename one of them",
        )


def _check_environments(values: Values) -> None:
    """Warn about names that no stage uses: what is misspelt is not protected."""
    used = {stage.environment for stage in values["stages"] if stage.environment}
    for name, _ in values["environments"]:
        if name not in used:
            hint = values.report.suggestion(name, used)
            message = f"the environment '{shown(name)}' is used by no stage"
            values.report.warning(values.at("environments", name), message, hint)


def _check_parts(values: Values) -> None:
    """Refuse stages that have the name of a component of another one."""
    parts = {
        part_name(stage.name, one): stage for stage in values["stages"] for one in stage.components
    }
    for stage in values["stages"]:
        if stage.name in parts:
            values.error(
                ("stages",),
                f"Stage '{stage.name}' has the name of a component of stage"
                f" '{parts[stage.name].name}'",
                "rename it",
            )


PIPELINE = Record(
    title="a pipeline",
    build=_pipeline,
    fields=(
        Field(
            key="name",
            reader=Text(one_line=True),
            description="What the pipeline is called.",
            default="",
            required="Pipeline name cannot be empty",
        ),
        Field(
            key="description",
            reader=Text(),
            description="What the pipeline does.",
            default="",
        ),
        Field(key="version", reader=Text(), description="The version of this file.", default="1"),
        Field(
            key="triggers",
            reader=ListOf(item=_TRIGGER),
            description="The events that start the pipeline.",
            default=(),
        ),
        Field(
            key="variables",
            reader=VARIABLES,
            description="Values for ${variable}; a trigger may bring others.",
            default=(),
        ),
        SECRETS,
        ENVIRONMENTS,
        AGENTS,
        Field(
            key="max_parallel",
            reader=Whole(least=1, most=1000),
            description="How many stages run at the same time.",
            default=DEFAULT_MAX_PARALLEL,
        ),
        Field(
            key="fail_fast",
            reader=Flag(),
            description="Whether a halting failure cancels what still runs.",
            default=False,
        ),
        Field(
            key="parallel_rollback",
            reader=Flag(),
            description="Whether steps of a rollback that do not depend on each other run at the"
            " same time.",
            default=False,
        ),
        Field(
            key="stages",
            reader=ListOf(item=STAGE, single=False),
            description="The stages, in the order in which they run unless depends_on says else.",
            default=(),
            required="Pipeline must have at least one stage",
        ),
        NOTIFY,
        Field(
            key="protected",
            reader=None,
            description="Environments that only some people may change.",
        ),
    ),
)
"""The whole file."""
