"""A demand as it reaches the executor of another process."""

from __future__ import annotations

from dataclasses import fields

import pytest

from orchestrate_tui.domain.rollback_demand import EVERYTHING, RollbackDemand

DEMAND = RollbackDemand(
    from_stage="smoke",
    to_stage="deploy",
    reason="broken",
    plan_hash="1f",
    accept_irreversible=True,
    retry=True,
    force=True,
    waits=True,
    release="golden",
    definition="0f3a",
    components=("api", "web"),
    cascade=False,
)


def test_nothing_of_a_demand_is_lost_on_its_way() -> None:
    """The first of them says otherwise than by default in every field."""
    assert all(getattr(DEMAND, one.name) != one.default for one in fields(RollbackDemand))
    assert RollbackDemand.from_payload(DEMAND.to_payload()) == DEMAND
    assert RollbackDemand.from_payload(EVERYTHING.to_payload()) == EVERYTHING


@pytest.mark.parametrize("missing", ["force", "release", "definition", "components", "cascade"])
def test_a_demand_that_was_recorded_before_it_had_a_field_means_the_default(missing: str) -> None:
    payload = DEMAND.to_payload()
    del payload[missing]
    found = RollbackDemand.from_payload(payload)
    assert getattr(found, missing) == getattr(EVERYTHING, missing)
