"""What is said of environments: which are protected."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import Environment
from orchestrate_tui.spec.readers import WORDS, Flag, MapOf
from orchestrate_tui.spec.records import Field, Record

ENVIRONMENTS = Field(
    key="environments",
    reader=MapOf(
        keys=WORDS,
        value=Record(
            title="an environment",
            definition="environment",
            build=lambda values: values["protected"],
            fields=(
                Field(
                    key="protected",
                    reader=Flag(),
                    description="Whether a console opens locked on runs that touch it, and asks to"
                    " type its name before something grave is done.",
                    default=False,
                ),
            ),
        ),
    ),
    description="What is special about environments, by their names.",
    default=(),
)


def environments(pairs: tuple[tuple[str, bool], ...]) -> tuple[Environment, ...]:
    """The environments that were read, in the order of the file."""
    return tuple(Environment(name=name, protected=protected) for name, protected in pairs)
