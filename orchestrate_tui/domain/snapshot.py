"""What was kept before a stage ran: what putting it back would change, and its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.values import dataclass

SNAPSHOT = "snapshot."
"""The prefix of `${snapshot.<name>}`."""

SNAPSHOT_VARIABLE = "ORCHESTRATE_SNAPSHOT_"
"""How the environment variables begin that carry the same values."""


class Fate(StrEnum):
    """What a restore does to a file, folder or link."""

    ADDED = "added"
    """It is gone, and comes back."""
    CHANGED = "changed"
    """It is another, and becomes what it was."""
    REMOVED = "removed"
    """It was created since, and goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """One file, folder or link that a restore would change; `path` is seen from the workdir.

    `now` and `then` are sizes in bytes, None where there is nothing. `diff` has the lines of a
    small text that would change; () for anything else.
    """

    fate: Fate
    path: str
    now: int | None
    then: int | None
    diff: tuple[str, ...] = ()


def rivals_of(stages: Iterable[Stage], graph: StageGraph) -> dict[str, frozenset[str]]:
    """Of each stage with paths to keep those others that may run at the same time."""
    keeping = frozenset(one.name for one in stages if one.snapshot and one.snapshot.paths)
    if len(keeping) < 2:
        return {}
    return {
        name: keeping - {name} - graph.upstream(name) - graph.downstream(name) for name in keeping
    }


def snapshot_variables(values: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that carry the values to an undo."""
    return {SNAPSHOT_VARIABLE + name.upper(): value for name, value in values.items()}
