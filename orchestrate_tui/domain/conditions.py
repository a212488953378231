"""The `when` of a stage: whether it runs, and the reason if it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from orchestrate_tui.domain.globs import matches
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a condition is asked about.

    `branch` None means no branch. `changed` None means the changed paths are unknown, () that
    nothing changed.
    """

    branch: str | None = None
    changed: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One mapping under `when`. A field that is None was not written and asks for nothing.

    `every` turns the lists inside a key from any-of to all-of (the key `all`).
    """

    branch: tuple[str, ...] | None = None
    paths: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    variable: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    every: bool = False
    all_of: tuple[Condition, ...] | None = None
    none_of: tuple[Condition, ...] | None = None
    any_of: tuple[Condition, ...] | None = None

    def unmet(self, given: Circumstances) -> str | None:
        """The reason why the condition is false, or None when it is true."""
        reason = next((reason for check in _CHECKS if (reason := check(self, given))), None)
        if self.any_of is None:
            return reason
        if reason is None and self._states_more_than_or():
            return None
        reasons = [alternative.unmet(given) for alternative in self.any_of]
        if None in reasons:
            return None
        return " and ".join(dict.fromkeys(filter(None, [reason, *reasons]))) or "`or` is empty"

    def _states_more_than_or(self) -> bool:
        rest = (self.branch, self.paths, self.labels, self.variable, self.all_of, self.none_of)
        return any(part is not None for part in rest)

    def variable_names(self) -> Iterator[str]:
        """Every variable that this condition or one inside it asks for."""
        yield from (name for name, _ in self.variable or ())
        for part in (self.all_of, self.none_of, self.any_of):
            for inner in part or ():
                yield from inner.variable_names()


def _branch(condition: Condition, given: Circumstances) -> str | None:
    patterns, branch = condition.branch, given.branch
    if patterns is None:
        return None
    if branch is None:
        return f"no branch was given; it must match {_listed(patterns, every=condition.every)}"
    lacking = _lacking(condition, patterns, lambda pattern: matches(pattern, branch))
    return lacking and f"branch '{branch}' does not match {lacking}"


def _paths(condition: Condition, given: Circumstances) -> str | None:
    patterns, changed = condition.paths, given.changed
    if patterns is None or changed is None:
        return None
    lacking = _lacking(condition, patterns, lambda one: any(matches(one, path) for path in changed))
    return lacking and f"no changed path matches {lacking}"


def _labels(condition: Condition, given: Circumstances) -> str | None:
    if condition.labels is None:
        return None
    lacking = _lacking(condition, condition.labels, lambda label: label in given.labels)
    return lacking and f"label {lacking} is not set"


def _variable(condition: Condition, given: Circumstances) -> str | None:
    for name, wanted in condition.variable or ():
        value = given.variables.get(name)
        if value is None:
            return f"variable '{name}' is not defined"
        if value not in wanted:
            return f"variable '{name}' is '{value}', not {_listed(wanted)}"
    return None


def _all_of(condition: Condition, given: Circumstances) -> str | None:
    parts = condition.all_of or ()
    return next((reason for part in parts if (reason := part.unmet(given))), None)


def _none_of(condition: Condition, given: Circumstances) -> str | None:
    if any(part.unmet(given) is None for part in condition.none_of or ()):
        return "a condition under `not` is true"
    return None


_CHECKS = (_branch, _paths, _labels, _variable, _all_of, _none_of)


def _lacking(
    condition: Condition, wanted: tuple[str, ...], test: Callable[[str], bool]
) -> str | None:
    """The items of `wanted` that make it false, in one phrase; None when it is true."""
    failing = tuple(item for item in wanted if not test(item))
    holds = not failing if condition.every else len(failing) < len(wanted)
    return None if holds else _listed(failing, every=condition.every)


def _listed(items: tuple[str, ...], *, every: bool = False) -> str:
    link = " and " if every else " or "
    return link.join(f"'{item}'" for item in items) or "anything (the list is empty)"
