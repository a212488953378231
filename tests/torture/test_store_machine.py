"""Executors do to one database whatever they may and may not; guards, order and record hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestrate_tui.store import recovery, rollbacks, runs
from tests.torture.conftest import Amount, Figure
from tests.torture.store_machine import StoreMachine, empty_database

STEPS = 60


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path) -> Iterator[None]:
    StoreMachine.empty = empty_database(tmp_path)
    yield
    del StoreMachine.empty


def explore(seed: int, examples: int) -> None:
    """Run the machine so often. Raises what an example found."""
    how = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(seed)(StoreMachine), settings=how)


@pytest.mark.attack("the store in any order")
def test_whatever_is_done_in_any_order_the_store_stands_as_the_model_does(
    seed: int, amount: Amount, figure: Figure
) -> None:
    examples = amount(short=25, long=3_000)
    explore(seed, examples)
    figure("examples", f"{examples} of {STEPS} steps")


WITHOUT = {
    "fencing": (runs, "check_owner"),
    "loop prevention": (rollbacks, "check_loop"),
    "one rollback at a time": (rollbacks, "check_none_under_way"),
    "a look at who lives": (recovery, "is_alive"),
}


@pytest.mark.control("the store in any order")
@pytest.mark.parametrize("protection", WITHOUT)
def test_without_a_protection_something_is_done_that_must_not_be(
    protection: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name = WITHOUT[protection]
    monkeypatch.setattr(module, name, lambda *_, **__: None)
    with pytest.raises(AssertionError):
        explore(seed, 2_000)  # it ends with the first damage
