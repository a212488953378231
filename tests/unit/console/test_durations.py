from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrate_tui.console.durations import (
    NARROW,
    clock,
    duration,
    elapsed_s,
    set_duration,
    short_duration,
)

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (-3, "0s", "0s"),
        (12.9, "12s", "12s"),
        (59, "59s", "59s"),
        (60, "1m 00s", "1m00"),
        (64, "1m 04s", "1m04"),
        (599, "9m 59s", "9m59"),
        (600, "10m 00s", "10m"),
        (3540, "59m 00s", "59m"),
        (3600, "1h 00m", "1h00"),
        (7500, "2h 05m", "2h05"),
        (35999, "9h 59m", "9h59"),
        (36000, "10h 00m", "10h"),
        (86399, "23h 59m", "23h"),
        (86400, "1d 00h", "24h"),
        (359999, "4d 03h", "99h"),
        (360000, "4d 04h", "4d"),
        (86400 * 3 + 4 * 3600, "3d 04h", "76h"),
        (86400 * 99, "99d 00h", "99d"),
    ],
)
def test_durations_are_short_and_exact_enough(seconds: float, long: str, short: str) -> None:
    assert duration(seconds) == long
    assert short_duration(seconds) == short
    assert len(short) <= NARROW


def test_elapsed_time_runs_until_the_end() -> None:
    later = NOON + timedelta(seconds=90)
    assert elapsed_s(None, None, later) is None
    assert elapsed_s(NOON, None, later) == 90
    assert elapsed_s(NOON, NOON + timedelta(seconds=5), later) == 5


def test_a_moment_of_another_day_shows_its_date() -> None:
    local = NOON.astimezone()
    assert clock(NOON, NOON) == f"{local:%H:%M:%S}"
    assert clock(NOON, NOON + timedelta(days=2)) == f"{local:%d %b %H:%M}"
    assert clock(NOON, NOON + timedelta(days=700)) == f"{local:%d %b %Y}"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(45, "45s"), (90, "1m 30s"), (300, "5m"), (600, "10m"), (3600, "1h"), (5400, "1h 30m")],
)
def test_a_length_that_was_set_is_told_without_zeros_at_its_end(seconds: float, told: str) -> None:
    assert set_duration(seconds) == told
