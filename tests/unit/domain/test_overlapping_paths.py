"""Whether two globs can name the same path, or one what lies within the other."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.paths import overlap


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("", "a", True),
        ("a*c", "ab", False),
        ("a*c", "a[bx]c", True),
        ("a**", "ab/c", True),
        ("**", "x/y/z", True),
        ("x/**/z", "x/z", True),
        ("x/**/z", "y/z", False),
        ("?", "ab", False),
        ("*a*b*", "*c*", True),
    ],
)
def test_globs_overlap_when_one_path_can_match_both(one: str, other: str, *, meets: bool) -> None:
    assert overlap(one, other) is meets
    assert overlap(other, one) is meets


def test_paths_of_any_depth_are_compared() -> None:
    assert not overlap("a/" * 2_000 + "b", "a/" * 2_000 + "c")
    assert overlap("a/" * 2_000 + "b", "a/" * 2_000 + "**")
