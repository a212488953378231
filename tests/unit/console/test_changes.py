"""What a restore would change, in lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrate_tui.console.changes import change_lines, size_of
from orchestrate_tui.domain.rollback_plan import PlanStep
from orchestrate_tui.domain.snapshot import Fate, PathChange


def step(*changes: PathChange, unlisted: int = 0) -> PlanStep:
    return PlanStep(
        stage_name="s",
        agent="",
        task="",
        restores=("conf",),
        changes=changes,
        unlisted=unlisted,
    )


def test_each_change_is_a_line_with_its_sizes() -> None:
    lines = change_lines(
        step(
            PathChange(fate=Fate.ADDED, path="a", now=None, then=2048),
            PathChange(fate=Fate.CHANGED, path="b", now=1, then=2, diff=("-", "+", "-x", "+y")),
            PathChange(fate=Fate.REMOVED, path="c", now=3, then=None),
            unlisted=7,
        )
    )
    assert list(lines) == [
        "+ a comes back (2.0 KiB)",
        "~ b changes (1 B → 2 B)",
        "    -x",
        "    +y",
        "- c is removed (3 B)",
        "… and 7 more",
    ]


def test_nothing_to_change_is_said() -> None:
    assert list(change_lines(step())) == ["nothing of it has changed"]
    refused = replace(step(), obstacles=("the snapshot is damaged",))
    assert list(change_lines(refused)) == ["✗ it would not be put back: the snapshot is damaged"]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**44 * 3, "48.0 TiB")]
)
def test_sizes_are_in_the_largest_unit(count: int, text: str) -> None:
    assert size_of(count) == text
