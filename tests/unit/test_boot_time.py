"""Moments of the system's start, as the database gives them back."""

from __future__ import annotations

import pytest

from orchestrate_tui.executor.boot_time import boot_moment, seconds_since
from orchestrate_tui.stagehost.boot import boot_id


def test_a_moment_of_this_start_is_some_seconds_ago() -> None:
    since_s = seconds_since(boot_moment())
    assert since_s is not None
    assert -0.001 <= since_s < 100


@pytest.mark.parametrize("said", ["", "another 1.0", "{}", "{} soon", "{} nan", "{} inf"])
def test_what_is_no_moment_of_this_start_tells_nothing(said: str) -> None:
    assert seconds_since(said.format(boot_id())) is None
