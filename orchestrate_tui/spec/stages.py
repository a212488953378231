"""`stages:` and everything that is written inside one stage."""

from __future__ import annotations

from dataclasses import replace

from orchestrate_tui.domain.pipeline import (
    DEFAULT_APPROVAL_TIMEOUT_S,
    DEFAULT_UNDO_TIMEOUT_S,
    Approval,
    OnFailure,
    OnTimeout,
    Retry,
    Stage,
    Undo,
)
from orchestrate_tui.spec.conditions import CONDITION
from orchestrate_tui.spec.names import AGENT_NAME, ENVIRONMENT, FILE_NAME, check_environment
from orchestrate_tui.spec.readers import (
    NAMES,
    NEVER,
    Choice,
    Duration,
    Flag,
    Number,
    Text,
    Whole,
)
from orchestrate_tui.spec.records import Field, Record, Values

_TEXT = Text()
_LONGEST_DELAY_S = 7 * 86400.0


def _retry(values: Values) -> Retry:
    retry = Retry(attempts=values["attempts"], delay_s=values["delay"], backoff=values["backoff"])
    if retry.delay_before(retry.attempts) > _LONGEST_DELAY_S:
        message = f"the delay before attempt {retry.attempts} would be more than 7 days"
        values.error((), message, "lower attempts, delay or backoff")
    return retry


_RETRY = Record(
    title="'retry'",
    definition="retry",
    build=_retry,
    fields=(
        Field(
            key="attempts",
            reader=Whole(least=1, most=100),
            description="How often the work is tried, the first time included.",
            default=1,
        ),
        Field(
            key="delay",
            reader=Duration(),
            description="How long to wait before the second attempt.",
            default=0.0,
        ),
        Field(
            key="backoff",
            reader=Number(least=1, most=10),
            description="By how much each delay is longer than the one before.",
            default=1.0,
        ),
    ),
)


def _approval(values: Values) -> Approval:
    timeout_s = values["timeout"]
    return Approval(
        approvers=(),
        quorum=values["quorum"],
        timeout_s=None if timeout_s == NEVER else timeout_s,
        on_timeout=values["on_timeout"],
    )


_APPROVAL = Record(
    title="'approval'",
    definition="approval",
    build=_approval,
    fields=(
        Field(
            key="quorum",
            reader=Whole(least=1, most=1000),
            description="How many of the approvers are needed; all of them when not written.",
        ),
        Field(
            key="timeout",
            reader=Duration(zero=False, never=True),
            description="How long to wait for a decision, or `never` for as long as it takes.",
            default=DEFAULT_APPROVAL_TIMEOUT_S,
        ),
        Field(
            key="on_timeout",
            reader=Choice(words=OnTimeout),
            description="What happens when nobody decided in time.",
            default=OnTimeout.REJECT,
        ),
    ),
)


def _undo(values: Values) -> Undo:
    return Undo(
        task=values["task"],
        agent=values["agent"],
        timeout_s=values["timeout"],
        retry=values["retry"],
        idempotent=values["idempotent"],
        irreversible=values["irreversible"],
        then=values["then"],
    )


_ROLLBACK = Record(
    title="'rollback'",
    definition="rollback",
    build=_undo,
    extra={
        "anyOf": [
            {"required": ["task"]},
            {"required": ["irreversible"], "properties": {"irreversible": {"const": True}}},
        ]
    },
    fields=(
        Field(
            key="agent",
            reader=AGENT_NAME,
            description="Who undoes the stage; its own agent when not written.",
        ),
        Field(
            key="task",
            reader=_TEXT,
            description="What that agent is told to do; may hold ${variable}.",
            default="",
        ),
        Field(
            key="timeout",
            reader=Duration(zero=False),
            description="The limit of one attempt.",
            default=DEFAULT_UNDO_TIMEOUT_S,
        ),
        Field(
            key="retry",
            reader=_RETRY,
            description="How often the undo is tried.",
            default=Retry(),
        ),
        Field(
            key="idempotent",
            reader=Flag(),
            description="Whether the undo may be repeated when it is not known how far it came.",
            default=False,
        ),
        Field(
            key="irreversible",
            reader=Flag(),
            description="Whether the effects of the stage cannot be taken back.",
            default=False,
        ),
        Field(
            key="then",
            reader=NAMES,
            description="Stages that have to be undone after this one.",
            default=(),
        ),
        Field(key="check", reader=None, description="A command that tells whether it is undone."),
    ),
)


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
        approval=_approval_of(values),
        environment=values["environment"],
        depends_on=values["depends_on"],
        parallel_with=values["parallel_with"],
        when=values["when"],
        retry=values["retry"],
        env=values["env"],
        workdir=values["workdir"],
        rollback=values["rollback"],
    )


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


def _approval_of(values: Values) -> Approval | None:
    approvers = tuple(dict.fromkeys(values["approvers"]))
    if not values["requires_approval"]:
        _check_unneeded_approval(values)
        return None
    name: str = values["name"]
    approval: Approval = values["approval"]
    if not approvers and not values.blamed("approvers"):
        message = f"Stage '{name}' requires approval but has no approvers"
        values.error(("requires_approval",), message)
    if approvers and approval.quorum and approval.quorum > len(approvers):
        values.error(
            ("approval", "quorum"),
            f"Stage '{name}' needs {approval.quorum} approvals but has {len(approvers)} approvers",
        )
    return replace(approval, approvers=approvers)


def _check_unneeded_approval(values: Values) -> None:
    name = values["name"]
    hint = "write requires_approval: true"
    if values.written("approval"):
        message = f"Stage '{name}' describes an approval but does not require one"
        values.error(("approval",), message, hint)
    elif values["approvers"]:
        message = f"Stage '{name}' has approvers but does not require approval"
        values.report.warning(values.at("approvers"), message, hint)


STAGE = Record(
    title="a stage",
    definition="stage",
    build=_stage,
    blame_whole=True,
    extra={
        "dependentRequired": {"rollback_to": ["on_failure"], "approval": ["requires_approval"]},
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
            reader=_APPROVAL,
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
            reader=_RETRY,
            description="How often the stage is tried.",
            default=Retry(),
        ),
        Field(
            key="env",
            reader=ENVIRONMENT,
            description="Environment variables; their values may hold ${variable}.",
            default=(),
        ),
        Field(
            key="workdir",
            reader=_TEXT,
            description="The folder to work in, seen from that of the run; may hold ${variable}.",
        ),
        Field(key="rollback", reader=_ROLLBACK, description="How the stage is undone."),
        Field(
            key="components",
            reader=None,
            description="The parts of the product that the stage deploys one by one.",
        ),
        Field(
            key="snapshot",
            reader=None,
            description="What is kept before the stage runs, to be put back by a rollback.",
        ),
        Field(key="secrets", reader=None, description="Values that are masked in logs."),
        Field(key="notify", reader=None, description="Who is told how the stage ended."),
        Field(
            key="protected",
            reader=None,
            description="Whether only some people may run the stage.",
        ),
    ),
)
"""One stage."""
