"""The `when` of a stage."""

from __future__ import annotations

from dataclasses import replace

from yaml.nodes import MappingNode, Node

from orchestrate_tui.domain.conditions import Condition
from orchestrate_tui.spec.readers import NAMES, ListOf, MapOf, Schema
from orchestrate_tui.spec.records import Field, Lazy, Record, Values
from orchestrate_tui.spec.report import Report


class _All:
    """`all`: a list of conditions, or one whose lists are all-of instead of any-of."""

    def read(self, node: Node, label: str, report: Report) -> tuple[Condition, ...] | None:
        """The conditions that all have to hold."""
        if not isinstance(node, MappingNode):
            return _LIST.read(node, label, report)
        condition = CONDITION.read(node, label, report)
        return None if condition is None else (replace(condition, every=True),)

    def schema(self, definitions: Schema) -> Schema:
        """A condition or a list of them."""
        return _CONDITIONS.schema(definitions)


_CONDITION = Lazy(record=lambda: CONDITION)
_CONDITIONS = ListOf(item=_CONDITION)
_LIST = ListOf(item=_CONDITION, single=False)


def _condition(values: Values) -> Condition:
    required = (values["and"], values["all"])
    all_of = tuple(condition for part in required for condition in part or ())
    return Condition(
        branch=values["branch"],
        paths=values["paths"],
        labels=values["labels"],
        variable=values["variable"],
        all_of=None if required == (None, None) else all_of,
        none_of=values["not"],
        any_of=values["or"],
    )


CONDITION: Record[Condition] = Record(
    title="a condition",
    definition="condition",
    build=_condition,
    fields=(
        Field(
            key="branch",
            reader=NAMES,
            description="Globs, one of which matches the branch; `*` stops at `/`, `**` does not.",
        ),
        Field(
            key="paths",
            reader=NAMES,
            description="Globs, one of which matches a changed path. True when the changed paths"
            " are unknown.",
        ),
        Field(key="labels", reader=NAMES, description="Labels, one of which is set."),
        Field(
            key="variable",
            reader=MapOf(value=NAMES),
            description="Variables and the value, or the values, that each may have.",
        ),
        Field(
            key="or",
            reader=_CONDITIONS,
            description="Conditions, one of which stands in for the rest of this mapping.",
        ),
        Field(key="and", reader=_CONDITIONS, description="Conditions that hold as well."),
        Field(key="not", reader=_CONDITIONS, description="Conditions none of which holds."),
        Field(
            key="all",
            reader=_All(),
            description="Conditions that hold as well; as a mapping, every item of its lists has"
            " to match instead of one.",
        ),
    ),
)
"""One mapping under `when`: all of its keys are required, a list inside a key is any-of."""
