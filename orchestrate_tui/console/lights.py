"""The light of each stage of a run: whether it could be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrate_tui.domain.readiness import Light, at_stake

if TYPE_CHECKING:
    from orchestrate_tui.store.history import History

LightsByName = Mapping[str, Light]
"""The lights of the stages about which it matters; none of a stage that has no effects."""


def lights(history: History, run_id: int) -> LightsByName:
    """Find the lights of a run out; takes as long as there are snapshots to be looked at."""
    from orchestrate_tui.executor.readiness import run_readiness  # noqa: PLC0415  (beside)

    names = at_stake(history.definition(run_id))
    found = run_readiness(history, run_id, only=names) if names else ()
    return {one.stage_name: one.light for one in found if one.light is not Light.IDLE}
