"""What a restore would change, as lines for people: the same on the screen and in a shell."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrate_tui.domain.rollback_plan import PlanStep
from orchestrate_tui.domain.snapshot import Fate, PathChange

_SIGNS = {Fate.ADDED: "+", Fate.CHANGED: "~", Fate.REMOVED: "-"}
_WORDS = {Fate.ADDED: "comes back", Fate.CHANGED: "changes", Fate.REMOVED: "is removed"}
_UNITS = ("KiB", "MiB", "GiB", "TiB")


def change_lines(step: PlanStep) -> Iterator[str]:
    """One line for each path that would change, and the lines of small texts that would."""
    for change in step.changes:
        yield f"{_SIGNS[change.fate]} {change.path} {_WORDS[change.fate]} ({_sizes(change)})"
        yield from (f"    {line}" for line in change.diff[2:])
    if step.unlisted:
        yield f"… and {step.unlisted} more"
    for why in step.obstacles:
        yield f"✗ it would not be put back: {why}"
    if step.restores and not step.changes and not step.obstacles:
        yield "nothing of it has changed"


def _sizes(change: PathChange) -> str:
    sizes = (size_of(size) for size in (change.now, change.then) if size is not None)
    return " → ".join(dict.fromkeys(sizes))


def size_of(count: int) -> str:
    """Bytes in the largest unit of which there is one."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in _UNITS:
        size /= 1024
        if size < 1024 or unit == _UNITS[-1]:
            break
    return f"{size:.1f} {unit}"
