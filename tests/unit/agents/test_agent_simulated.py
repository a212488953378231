from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrate_tui.agents.contract import Outcome
from orchestrate_tui.domain.pipeline import Simulation

if TYPE_CHECKING:
    from tests.unit.agents.conftest import MakeWork, Run

pytestmark = pytest.mark.anyio


async def test_it_succeeds_and_writes_nothing(make_work: MakeWork, run: Run) -> None:
    work = make_work(simulated=Simulation())
    assert await run(work) == Outcome(succeeded=True)
    assert not work.log_path.parent.exists()


def test_without_a_duration_it_gives_nobody_else_a_turn(make_work: MakeWork, run: Run) -> None:
    doing = run(make_work(simulated=Simulation(output="x"))).__await__()
    with pytest.raises(StopIteration) as ended:
        next(doing)
    assert ended.value.value == Outcome(succeeded=True)


async def test_it_fails_when_told_to(make_work: MakeWork, run: Run) -> None:
    outcome = await run(make_work(simulated=Simulation(fail=True)))
    assert (outcome.succeeded, outcome.reason) == (False, "simulated failure")


async def test_its_output_goes_to_the_log(make_work: MakeWork, run: Run) -> None:
    simulation = Simulation(output="Doing ${task} of ${nobody}")
    work = make_work(simulated=simulation)
    await run(work)
    assert work.log_path.read_text() == "Doing Deploy it of ${nobody}\n"


async def test_it_can_take_its_time(make_work: MakeWork, run: Run) -> None:
    assert (await run(make_work(simulated=Simulation(duration_s=0.001)))).succeeded


async def test_it_can_take_too_long(make_work: MakeWork, run: Run) -> None:
    outcome = await run(make_work(simulated=Simulation(duration_s=3600), timeout_s=0.001))
    assert outcome.reason == "timed out after 0.001s"


def test_only_http_agents_load_the_http_library() -> None:
    program = "import sys, orchestrate_tui.agents; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
