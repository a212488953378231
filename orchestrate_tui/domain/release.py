"""Releases: what successful stages brought to an environment, and what an undo goes back to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import chain

from orchestrate_tui.domain.pipeline import Agent, Pairs, Undo
from orchestrate_tui.domain.variables import declared_name, references
from orchestrate_tui.values import dataclass

PREVIOUS = "previous."
"""The prefix of `${previous.<key>}`, a value of the release that an undo goes back to."""

PREVIOUS_VARIABLE = "ORCHESTRATE_PREVIOUS_"
"""How the environment variables begin that carry the same values."""

VERSION = "version"
"""The variable, or the output, that tells one release of something from another."""

NO_EARLIER_RELEASE = "no earlier release"

# `${NAME:-default}` and its like cope with a variable that is not there
_VARIABLE = re.compile(rf"{PREVIOUS_VARIABLE}(\w+)(?!\w|:?[-+=?])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one successful stage brought to its environment.

    `component` None means the stage as a whole. `version` is the output of that name of the
    stage, else the variable of that name, "" without either. `undone_by` is the rollback that
    took it back. `outputs` are those of the stage, as they are stored. `pinned_by` is who vouches
    for it as golden, None for nobody. `is_current` says that it is in place: neither did the
    stage bring anything there since that was not undone, nor did a rollback pass it over;
    `quarantine` is that of its version there, None without one.
    One that was pruned, at `pruned_at`, is not returned to any more.
    """

    id: int
    pipeline: str
    environment: str
    component: str | None = None
    run_id: int
    stage_name: str
    version: str = ""
    definition_hash: str = ""
    created_at: datetime
    undone_by: int | None = None
    outputs: Pairs = ()
    pinned_by: str | None = None
    pinned_at: datetime | None = None
    pin_reason: str = ""
    is_current: bool = False
    quarantine: int | None = None
    pruned_at: datetime | None = None

    @property
    def place(self) -> str:
        """Where it was brought to, with the component, if it is only that."""
        return place_of(self.environment, self.component)

    @property
    def is_golden(self) -> bool:
        """Whether somebody vouches for it."""
        return self.pinned_by is not None

    @property
    def values(self) -> Mapping[str, str]:
        """What `${previous.…}` can name of it: its outputs, `version`, `release` and `run_id`."""
        known = {"release": str(self.id), "run_id": str(self.run_id)}
        if self.version:
            known[VERSION] = self.version
        return known | dict(self.outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A version that was rolled back, and is not brought to that environment again.

    `component` None means all of it. `lifted_by` is who let it in again, None while nobody has.
    """

    id: int
    pipeline: str
    environment: str
    component: str | None = None
    version: str
    run_id: int
    rollback_id: int
    created_at: datetime
    lifted_by: str | None = None
    lifted_at: datetime | None = None
    lift_reason: str = ""

    @property
    def place(self) -> str:
        """Where it is not let in, with the component, if it is only that."""
        return place_of(self.environment, self.component)

    @property
    def sentence(self) -> str:
        """Why the version is not let in."""
        where = f"in {self.place} by rollback {self.rollback_id} of run {self.run_id}"
        return f"was taken back {where} and is quarantined there"


def place_of(environment: str, component: str | None) -> str:
    """An environment, or one component in it, as people name it."""
    return environment if component is None else f"{environment}/{component}"


class Ruling(StrEnum):
    """What an operator says about a release, a version that is quarantined, or a breaker."""

    PIN = "pin"
    """The release is golden: it is never pruned, and easily named to go back to."""
    UNPIN = "unpin"
    """It is one like the others again."""
    LIFT = "lift"
    """The version may be brought to its environment again."""
    RESET = "reset"
    """New runs may go to the environment of a breaker again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What a stage brought to its environment, "" without a version, and what was there before."""

    version: str = ""
    earlier: Release | None = None


def variables_of(values: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that carry the `values` of a release to an undo."""
    return {PREVIOUS_VARIABLE + declared_name(key).upper(): text for key, text in values.items()}


def lacks(undo: Undo, agent: Agent | None, succession: Succession) -> str:
    """Why the earlier release is not what the undo needs of it; "" when it is, or needs nothing."""
    return lacking((*needs(undo.task), *(needs_of(agent) if agent else ())), succession)


def lacking(keys: Iterable[str], succession: Succession) -> str:
    """Why the earlier release has not all of `keys`; "" when it has, or there are none."""
    wanted = dict.fromkeys(keys)
    if not wanted:
        return ""
    if succession.earlier is None:
        return NO_EARLIER_RELEASE
    values = succession.earlier.values
    known = {*values, *(declared_name(key).upper() for key in values)}
    missing = [key for key in wanted if key not in known]
    if not missing:
        return ""
    return f"release {succession.earlier.id} has no {' and no '.join(map(repr, missing))}"


def needs(text: str) -> tuple[str, ...]:
    """The keys of the earlier release that a text of an undo names."""
    if "${" not in text and PREVIOUS_VARIABLE not in text:
        return ()
    named = (name for name in references(text) if name.startswith(PREVIOUS))
    return (*(name.removeprefix(PREVIOUS) for name in named), *_VARIABLE.findall(text))


def needs_of(agent: Agent) -> tuple[str, ...]:
    """The keys of the earlier release that the texts of an agent name."""
    return tuple(chain.from_iterable(map(needs, _texts(agent))))


def _texts(agent: Agent) -> Iterator[str]:
    yield from agent.command
    yield agent.shell
    yield agent.workdir or ""
    yield from (text for _, text in agent.env)
    if agent.http is not None:
        yield from (agent.http.url, agent.http.body)
        yield from (text for _, text in agent.http.headers)
