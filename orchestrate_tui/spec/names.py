"""What variables and environment variables may be called, and which of them collide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestrate_tui.domain.pipeline import Pairs
from orchestrate_tui.domain.variables import (
    BUILT_IN,
    NAME,
    STAGE_OUTPUT,
    START_UP_NAMES,
    changes_how_programs_start,
    declared_name,
    output_name,
    references,
    trigger_name,
)
from orchestrate_tui.spec.readers import MapOf, Schema, Text
from orchestrate_tui.spec.records import Field, Values

_LINE_BREAKS_AND_DIRECTIONS = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069"
_WITHIN = rf"[^/{_LINE_BREAKS_AND_DIRECTIONS}]"
_AT_EDGE = rf"[^/\s{_LINE_BREAKS_AND_DIRECTIONS}]"

FILE_NAME = Text(
    pattern=rf"\s*|(?!\.){_AT_EDGE}(?:{_WITHIN}*{_AT_EDGE})?",
    rule="cannot begin with '.' or a space, end with a space, or contain '/' or control characters",
    most_bytes=200,
)
"""A name that becomes part of the name of a file; blank is told with another message."""

AGENT_NAME = Text(one_line=True)
"""What an agent may be called."""

ENV = Field(
    key="env",
    reader=MapOf(
        value=Text(),
        keys=Text(pattern="[A-Za-z_][A-Za-z0-9_]*", rule="must be letters, digits and '_'"),
    ),
    description="Environment variables; their values may hold ${variable}.",
    default=(),
)
"""What a stage or an agent adds to the environment of its programs."""

_RULE = "must begin with a letter or '_' and go on with letters, digits, '_', '.' and '-'"

_RESERVED = "|".join(
    (
        *sorted(BUILT_IN),
        re.escape(STAGE_OUTPUT) + ".*",
        START_UP_NAMES.pattern.replace("_", "[_.-]"),  # as declared_name changes them
    )
)


class _Variables(MapOf[str]):
    """Variables and their values; the pipeline tells which names are reserved."""

    __slots__ = ()

    def schema(self, definitions: Schema) -> Schema:
        """An object without any of the reserved names."""
        found = super().schema(definitions)
        return {
            **found,
            "propertyNames": {**found["propertyNames"], "not": {"pattern": f"^(?:{_RESERVED})$"}},
        }


VARIABLES = _Variables(
    value=Text(), keys=Text(pattern=NAME.pattern.removesuffix(r"\Z"), rule=_RULE)
)
"""The variables that a pipeline declares."""


def why_reserved(name: str) -> str:
    """Why a pipeline or a trigger cannot define a variable of this name; "" when it can."""
    if name in BUILT_IN or name.startswith(STAGE_OUTPUT):
        return "has a meaning of its own"
    if changes_how_programs_start(declared_name(name)):
        return "changes how programs start"
    if not NAME.match(name):
        return _RULE
    return ""


def environment_names(
    declared: Iterable[str], given: Iterable[str], outputs: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Every variable and output, as it is written, with the environment variable of its value.

    `given` are names that the trigger brings; those that are declared too count once.
    """
    own = tuple(dict.fromkeys(declared))
    yield from ((name, declared_name(name)) for name in own)
    yield from ((name, trigger_name(name)) for name in given if name not in own)
    for stage, key in outputs:
        yield f"{STAGE_OUTPUT}{stage}.{key}", output_name(stage, key)


def collisions(names: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Of such pairs, those whose environment variable is taken: name, first name, variable."""
    taken: dict[str, str] = {}
    for name, variable in names:
        first = taken.setdefault(variable, name)
        if first != name:
            yield name, first, variable


def check_environment(values: Values) -> None:
    """Refuse what `env` may not set, in a stage or in an agent."""
    pairs: Pairs = values["env"]
    for name, value in pairs:
        if name.startswith("ORCHESTRATE_"):
            values.error(("env", name), f"'{name}' is set by Orchestrate itself")
        elif changes_how_programs_start(name) and references(value):
            message = f"'{name}' changes how programs start, so its value cannot hold a variable"
            values.error(("env", name), message, "write the value out")
