"""What is said of environments: which are protected."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import DEFAULT_BREAKER, Environment
from orchestrate_tui.spec.readers import WORDS, Flag, MapOf, Whole
from orchestrate_tui.spec.records import Field, Record

ENVIRONMENTS = Field(
    key="environments",
    reader=MapOf(
        keys=WORDS,
        value=Record(
            title="an environment",
            definition="environment",
            build=lambda values: (values["protected"], values["breaker"]),
            fields=(
                Field(
                    key="protected",
                    reader=Flag(),
                    description="Whether a console opens locked on runs that touch it, and asks to"
                    " type its name before something grave is done.",
                    default=False,
                ),
                Field(
                    key="breaker",
                    reader=Whole(least=0, most=1000),
                    description="After so many automatic rollbacks of the pipeline there within an"
                    " hour no new run goes there until somebody resets that; 0: never.",
                    default=DEFAULT_BREAKER,
                ),
            ),
        ),
    ),
    description="What is special about environments, by their names.",
    default=(),
)


def environments(
    pairs: tuple[tuple[str, tuple[bool, int]], ...],
) -> tuple[Environment, ...]:
    """The environments that were read, in the order of the file."""
    return tuple(
        Environment(name=name, protected=protected, breaker=breaker)
        for name, (protected, breaker) in pairs
    )
