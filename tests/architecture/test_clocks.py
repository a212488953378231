"""The clock of days, which somebody may set, is asked in one place; all else waits by another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "orchestrate_tui"
ASKING = {
    "time": {"time", "time_ns", "ctime", "localtime", "gmtime", "strftime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
ALLOWED = {
    "domain/moments.py": "what happened when, for people",
    "snapshots/ages.py": "how old a file is, whose times come from the same clock",
    "store/standing.py": "how old a file is, whose times come from the same clock",
    "stagehost/secret_files.py": "how old a file is, whose times come from the same clock",
}


def asked(path: Path) -> Iterator[str]:
    """Where a module asks the clock of days."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if name in ASKING.get(
                owner, ()
            ):
                yield f"{owner}.{name}"
            case ast.ImportFrom(module="time", names=names):
                yield from (f"time.{one.name}" for one in names if one.name in ASKING["time"])


def test_only_moments_and_the_ages_of_files_are_told_by_the_clock_of_days() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if any(asked(path))
    }
    assert found == set(ALLOWED)
