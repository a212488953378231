"""Modules stay small enough to be read in one go."""

from __future__ import annotations

from pathlib import Path
from statistics import median

PACKAGE = Path(__file__).parents[2] / "orchestrate_tui"


def lengths() -> dict[str, int]:
    return {
        str(path.relative_to(PACKAGE)): len(path.read_text().splitlines())
        for path in PACKAGE.rglob("*.py")
    }


def test_the_median_module_has_at_most_150_lines() -> None:
    assert median(lengths().values()) <= 150


def test_few_modules_have_more_than_300_lines_and_none_more_than_450() -> None:
    longer = {name: lines for name, lines in lengths().items() if lines > 300}
    assert len(longer) <= len(lengths()) / 20, longer
    assert all(lines <= 450 for lines in longer.values()), longer


def test_no_module_is_a_bag() -> None:
    bags = {"utils", "util", "helpers", "helper", "manager", "common", "base", "misc"}
    assert [name for name in lengths() if Path(name).stem in bags] == []
