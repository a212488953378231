"""Everything in the domain is a value."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules

import pytest

import orchestrate_tui.domain
from orchestrate_tui.domain.rollback_plan import PlanStep
from orchestrate_tui.domain.run import StageRun

MODULES = [
    import_module(f"orchestrate_tui.domain.{found.name}")
    for found in iter_modules(orchestrate_tui.domain.__path__)
]
VALUES = sorted(
    {
        one
        for module in MODULES
        for one in vars(module).values()
        if isinstance(one, type) and is_dataclass(one)
    },
    key=lambda one: one.__name__,
)


MANY = {PlanStep, StageRun}
"""Those that are made by the ten thousand, see orchestrate_tui.domain.value."""


def keeps_results(value: type) -> bool:
    return any(isinstance(one, cached_property) for one in vars(value).values())


@pytest.mark.parametrize("value", VALUES, ids=lambda one: one.__name__)
def test_a_value_is_frozen(value: type) -> None:
    """At run time as well as for the type checker, but for those that are many."""
    is_frozen = value.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert is_frozen is (value not in MANY)


@pytest.mark.parametrize(
    "value", [one for one in VALUES if not keeps_results(one)], ids=lambda one: one.__name__
)
def test_a_value_is_slotted_and_named_by_its_fields(value: type) -> None:
    """What keeps what it worked out is the exception."""
    assert "__slots__" in vars(value)
    assert all(field.kw_only for field in fields(value))


def test_values_that_are_many_are_kept_frozen_by_the_type_checker() -> None:
    """mypy finds fault with an `ignore` that it does not need."""
    one, other = (PlanStep(stage_name="a", agent="b", task="c") for _ in range(2))
    assert (one, hash(one)) == (other, hash(other))
    other.task = "d"  # type: ignore[misc]
    assert one != other
