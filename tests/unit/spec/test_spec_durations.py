from __future__ import annotations

import pytest

from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.spec import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("5s", 5.0),
        ("5 sec", 5.0),
        ("1 second", 1.0),
        ("2 seconds", 2.0),
        ("30m", 1800.0),
        ("30 min", 1800.0),
        ("1 minute", 60.0),
        ("2 minutes", 120.0),
        ("2h", 7200.0),
        ("1 hour", 3600.0),
        ("3 hours", 10800.0),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        ("1h 30m 5s", 5405.0),
        ("1d", 86400.0),
        ("2 days", 172800.0),
        ("1d1h1m1s1ms", 90061.001),
        (" 5s ", 5.0),
        ("1m500ms", 60.5),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "m", "-5s", "+5s", "5 fortnights", "30m1h", "1h30", "1h1h", "1e3", "inf", "nan",
     "5s!", "1,5h", "\u0663s", "12:30", "1h" * 60],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OrchestrateError, match="is not a duration") as caught:
        parse_duration(text)
    assert "30s, 15m" in caught.value.next_step


@pytest.mark.parametrize("text", ["367d", "9" * 90])
def test_a_duration_beyond_a_year_is_a_slip(text: str) -> None:
    with pytest.raises(OrchestrateError, match="is too long"):
        parse_duration(text)


def test_a_duration_is_a_value_error_for_who_expects_one() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration("soon")
