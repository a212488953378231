"""`stages:` and everything that is written inside one stage."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import Approval, OnFailure, Retry, Stage, Undo
from orchestrate_tui.spec.approvals import APPROVAL, approval_of
from orchestrate_tui.spec.conditions import CONDITION
from orchestrate_tui.spec.names import AGENT_NAME, ENV, FILE_NAME, check_environment
from orchestrate_tui.spec.readers import NAMES, Choice, Duration, Flag, ListOf, Schema, Text
from orchestrate_tui.spec.records import Field, Record, Values, written
from orchestrate_tui.spec.retries import RETRY
from orchestrate_tui.spec.snapshots import SNAPSHOT
from orchestrate_tui.spec.undos import ROLLBACK

_TEXT = Text()


def _stage(values: Values) -> Stage:
    _check_failure(values)
    _check_undo(values)
    check_environment(values)
    return Stage(
        name=values["name"],
        agent=values["agent"],
        task=values["task"],
        timeout_s=values["timeout"],
        on_failure=values["on_failure"],
        rollback_to=values["rollback_to"],
        approval=approval_of(values),
        environment=values["environment"],
        depends_on=values["depends_on"],
        parallel_with=values["parallel_with"],
        when=values["when"],
        retry=values["retry"],
        idempotent=values["idempotent"],
        env=values["env"],
        workdir=values["workdir"],
        rollback=values["rollback"],
        snapshot=values["snapshot"],
        components=_components(values),
    )


def _components(values: Values) -> tuple[str, ...]:
    named: tuple[str, ...] = values["components"]
    for position, component in enumerate(named):
        if component in named[:position]:
            place = ("components", position) if len(named) > 1 else ("components",)
            values.error(place, f"the component '{component}' is named twice", "remove one of them")
    return tuple(dict.fromkeys(named))


def _check_failure(values: Values) -> None:
    name, target = values["name"], values["rollback_to"]
    if target is None:
        return
    if values["on_failure"] is not OnFailure.ROLLBACK and not values.blamed("on_failure"):
        message = f"Stage '{name}' has rollback_to but on_failure is not 'rollback'"
        values.error(("rollback_to",), message)
    if target == name:
        values.error(
            ("rollback_to",),
            f"Stage '{name}' cannot rollback to itself - this would create a rollback loop",
            "leave rollback_to out to undo the stage itself",
        )


def _check_undo(values: Values) -> None:
    undo: Undo | None = values["rollback"]
    if undo and not undo.irreversible and not undo.task.strip():
        values.error(("rollback",), f"Stage '{values['name']}' rollback must specify a task")


def _says(key: str, *values: str | bool) -> Schema:
    """The schema of a mapping in which `key` is one of these values."""
    written = [value if value is True else str(value) for value in values]
    return {"required": [key], "properties": {key: {"enum": written}}}


STAGE = Record(
    title="a stage",
    definition="stage",
    build=_stage,
    extra={
        "allOf": [
            {
                "if": written("rollback_to"),
                "then": _says("on_failure", OnFailure.ROLLBACK),
            },
            {"if": written("approval"), "then": _says("requires_approval", *Flag.TRUE)},
            {
                "if": _says("requires_approval", *Flag.TRUE),
                "then": {
                    "allOf": [written("approvers"), {"properties": {"approvers": {"minItems": 1}}}]
                },
            },
        ],
    },
    fields=(
        Field(
            key="name",
            reader=FILE_NAME,
            description="What the stage is called; no other stage has this name.",
            default="",
            required="Stage name cannot be empty",
        ),
        Field(
            key="agent",
            reader=AGENT_NAME,
            description="Who does the work.",
            default="",
            required="Stage '{name}' must specify an agent",
        ),
        Field(
            key="task",
            reader=_TEXT,
            description="What the agent is told to do; may hold ${variable}.",
            default="",
            required="Stage '{name}' must specify a task",
        ),
        Field(
            key="timeout",
            reader=Duration(zero=False),
            description="The limit of one attempt, such as 90s, 30m or 1h30m.",
        ),
        Field(
            key="on_failure",
            reader=Choice(words=OnFailure),
            description="What the failure of the stage does to the run.",
            default=OnFailure.HALT,
        ),
        Field(
            key="rollback_to",
            reader=_TEXT,
            description="The stage that an automatic rollback goes back to; the stage itself when"
            " not written.",
        ),
        Field(
            key="requires_approval",
            reader=Flag(),
            description="Whether people have to approve the stage before it starts.",
            default=False,
        ),
        Field(
            key="approvers",
            reader=NAMES,
            description="Who approves: users, @groups, or roles from the user's configuration.",
            default=(),
        ),
        Field(
            key="approval",
            reader=APPROVAL,
            description="How many approvals are needed, and what happens without a decision.",
            default=Approval(approvers=()),
        ),
        Field(
            key="environment",
            reader=Text(one_line=True),
            description="The environment that the stage changes, such as production.",
        ),
        Field(
            key="depends_on",
            reader=NAMES,
            description="The stages that have to end well before this one starts. Not written: all"
            " stages above. []: none.",
        ),
        Field(
            key="parallel_with",
            reader=NAMES,
            description="A stage that this one runs beside, sharing what it depends on.",
            default=(),
        ),
        Field(key="when", reader=CONDITION, description="When the stage runs at all."),
        Field(
            key="retry",
            reader=RETRY,
            description="How often the stage is tried.",
            default=Retry(),
        ),
        Field(
            key="idempotent",
            reader=Flag(),
            description="Whether it may run again when it was lost, and nobody knows how far it"
            " came.",
            default=False,
        ),
        ENV,
        Field(
            key="workdir",
            reader=_TEXT,
            description="The folder to work in, seen from that of the run; may hold ${variable}.",
        ),
        Field(key="rollback", reader=ROLLBACK, description="How the stage is undone."),
        Field(
            key="components",
            reader=ListOf(
                item=Text(
                    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*",
                    rule="must be letters, digits, '.', '_' and '-'",
                )
            ),
            description="The parts of the product that the stage deploys; each is undone by"
            " itself, and is ${component} in its undo.",
            default=(),
        ),
        Field(
            key="snapshot",
            reader=SNAPSHOT,
            description="What is kept before the stage runs, to be put back by a rollback.",
        ),
        Field(key="notify", reader=None, description="Who is told how the stage ended."),
        Field(
            key="protected",
            reader=None,
            description="Whether only some people may run the stage.",
        ),
    ),
)
"""One stage."""
