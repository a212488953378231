"""`secrets:` which values must never be shown."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import Secret
from orchestrate_tui.spec.readers import ListOf, Text
from orchestrate_tui.spec.records import Field, Record, Shorthand, Values, written

_VARIABLE = Text(
    pattern="[A-Za-z_][A-Za-z0-9_]*",
    rule="must be the name of an environment variable: letters, digits and '_'",
)
_PATH = Text(
    pattern=r"\s*[^\s{}][^{}]*",
    rule="must be a path; it holds no variables",
    one_line=True,
)


def _secret(values: Values) -> Secret:
    written = [key for key in ("env", "file") if values.written(key)]
    if len(written) != 1:
        path = (written[1],) if written else ()
        values.error(path, "a secret must have exactly one of env or file")
    return Secret(env=values["env"], file=values["file"])


SECRETS = Field(
    key="secrets",
    reader=ListOf(
        item=Shorthand(
            plain=_VARIABLE,
            expand=lambda name: Secret(env=name),
            record=Record(
                title="a secret",
                definition="secret",
                build=_secret,
                extra={"oneOf": [written("env"), written("file")]},
                fields=(
                    Field(
                        key="env",
                        reader=_VARIABLE,
                        description="A variable of the environment that the run is started in.",
                        default="",
                    ),
                    Field(
                        key="file",
                        reader=_PATH,
                        description="A file, seen from the folder of the pipeline; ~ is the"
                        " user's home.",
                        default="",
                    ),
                ),
            ),
        )
    ),
    description="Where values lie that are masked in logs, in the history and on the screen:"
    " environment variables by name, or {file: path}.",
    default=(),
)


def check_secrets(values: Values) -> None:
    """Refuse a secret that is named twice."""
    seen: set[Secret] = set()
    for position, secret in enumerate(values["secrets"]):
        if secret in seen:
            values.error(("secrets", position), f"{secret} is named twice", "remove one of them")
        seen.add(secret)
