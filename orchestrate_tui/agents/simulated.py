"""The `simulated` agent: does nothing, for as long as it is told to."""

from __future__ import annotations

import os

import anyio

from orchestrate_tui.agents import wording
from orchestrate_tui.agents.contract import Outcome, Work
from orchestrate_tui.agents.environment import text_values
from orchestrate_tui.domain.pipeline import Simulation
from orchestrate_tui.domain.variables import substitute

_DONE = Outcome(succeeded=True)
_FAILED = Outcome(succeeded=False, reason="simulated failure")


async def perform_simulated(work: Work) -> Outcome:
    """Pretend; unknown variables in the output stay as they were written."""
    simulation = work.agent.simulated or Simulation()
    if simulation.output:
        output = substitute(simulation.output, text_values(work), keep_unknown=True)
        work.log.append(os.fsencode(output.removesuffix("\n")) + b"\n")
    if simulation.duration_s:
        with anyio.move_on_after(work.timeout_s) as limit:
            await anyio.sleep(simulation.duration_s)
        if limit.cancelled_caught:
            return Outcome(succeeded=False, reason=wording.timed_out(work.timeout_s))
    return _FAILED if simulation.fail else _DONE
