"""What the new-run dialog reads from its fields, and which pipeline files it offers."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.executor.people import People
from orchestrate_tui.spec import LoadedPipeline, problems_for_run
from orchestrate_tui.spec.config import load_user_config

NOTHING_CHANGED = "-"
"""What stands in the field of changed paths when there are none."""

PEEK_BYTES = 64 * 1024


def pipeline_files(given: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """`given`, then the YAML files in `folder` that have stages, by name; each file once."""
    found = sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))
    offered: dict[Path, Path] = {}
    for path in (*given, *filter(_has_stages, found)):
        offered.setdefault(path.absolute(), path)
    return tuple(offered.values())


def _has_stages(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return b"\nstages:" in b"\n" + file.read(PEEK_BYTES)
    except OSError:
        return False


def trigger_of(
    values: Mapping[str, str],
    declared: Mapping[str, str],
    *,
    more: str,
    branch: str,
    labels: str,
    changed: str,
) -> TriggerContext:
    """The trigger that the fields describe; variables left as declared are not repeated.

    Raises ValueError with a sentence for the operator.
    """
    given = {name: value for name, value in values.items() if value != declared.get(name)}
    given.update(_assignments(_words(more, "more variables")))
    paths = _words(changed, "changed paths")
    return TriggerContext(
        branch=branch.strip() or None,
        labels=tuple(labels.replace(",", " ").split()),
        changed=None if not paths else () if paths == [NOTHING_CHANGED] else tuple(paths),
        variables=tuple(given.items()),
    )


def _words(text: str, field: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{field}: {str(error).lower()}") from error


def _assignments(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    for word in words:
        name, sign, value = word.partition("=")
        if not name or not sign:
            raise ValueError(f"more variables: '{word}' is not NAME=VALUE")
        yield name, value


def problems(
    loaded: LoadedPipeline, trigger: TriggerContext, *, simulated: bool
) -> tuple[str, ...]:
    """Everything that keeps a run from starting, one sentence each.

    Raises OrchestrateError when the user's configuration cannot be read.
    """
    if simulated:
        return ()
    found = problems_for_run(loaded, dict(trigger.variables), simulate=False)
    people = People(load_user_config().roles)
    return (*map(str, found), *(reason for _, reason in people.obstacles(loaded.pipeline)))
