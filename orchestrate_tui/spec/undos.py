"""`rollback:` how a stage is undone."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import DEFAULT_UNDO_TIMEOUT_S, Retry, Undo
from orchestrate_tui.spec.names import AGENT_NAME
from orchestrate_tui.spec.readers import NAMES, Duration, Flag, Text
from orchestrate_tui.spec.records import Field, Record, Values, written
from orchestrate_tui.spec.retries import RETRY


def _undo(values: Values) -> Undo:
    return Undo(
        task=values["task"],
        agent=values["agent"],
        timeout_s=values["timeout"],
        retry=values["retry"],
        idempotent=values["idempotent"],
        check=values["check"],
        irreversible=values["irreversible"],
        then=values["then"],
    )


ROLLBACK = Record(
    title="'rollback'",
    definition="rollback",
    build=_undo,
    extra={
        "anyOf": [
            written("task"),
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
            reader=Text(),
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
            reader=RETRY,
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
        Field(
            key="check",
            reader=Text(),
            description="A script for /bin/sh that ends with 0 when the undo is still needed and"
            " with 1 when it is not; it runs before each attempt.",
            default="",
        ),
    ),
)
