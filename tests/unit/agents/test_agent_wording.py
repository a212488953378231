from __future__ import annotations

import pytest

from orchestrate_tui.agents import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "0.25s"), (45, "45s"), (1800, "30m"), (5400, "1h30m"), (90_061, "25h1m1s")],
)
def test_a_duration_reads_as_it_would_stand_in_a_file(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_a_real_time_signal_has_no_name() -> None:
    assert wording.ended_with(-40) == "killed by signal 40"
