"""From the start of the process to the first stage at work."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.figures import FLOOR, OURS, Figure, Measurement, Options, Target
from benchmarks.starting import first_stage, imported
from benchmarks.turns import Reading

TITLE = "process start to the program of the first stage running"
FRESH = "the same, with a database that has to be made first"
TARGETS = (
    Target(text="at most 3 times the floor", limit=3, against=(FLOOR,), title=TITLE),
    Target(text="at most 60 MB", limit=60, of="peak_memory_mb"),
)
SHORT = (
    Target(
        text="at most 15 times the processor time of the floor",
        limit=15,
        against=(FLOOR,),
        of="cpu_s",
        title=TITLE,
    ),
)


def measure(options: Options) -> list[Measurement]:
    """The floor, a usual start and a very first one in turn; one round before does not count."""
    usual = options.scratch / "usual"
    usual.mkdir()
    taken: list[tuple[Reading, Reading]] = []
    fresh: list[Reading] = []
    for number in range(options.rounds + 1):
        taken.append((imported(usual), first_stage(usual)))
        if not options.short:
            new = options.scratch / f"fresh-{number}"
            new.mkdir()
            fresh.append(first_stage(new))
    floor, ours = zip(*taken[1:], strict=True)
    found: list[Measurement] = [
        _figure(TITLE, FLOOR, floor, "a Python that imports asyncio and PyYAML, until it has"),
        _figure(TITLE, OURS, ours, "`orchestrate-tui run` until `date` runs"),
    ]
    if fresh:
        found.append(_figure(FRESH, OURS, fresh[1:], "with schema and all migrations"))
    return found


def _figure(title: str, subject: str, readings: Sequence[Reading], note: str) -> Figure:
    return Figure(
        workload="W5",
        title=title,
        subject=subject,
        samples=tuple(one.seconds for one in readings),
        cpu_s=tuple(one.cpu_s for one in readings),
        peak_memory_mb=median(one.peak_memory_mb for one in readings),
        note=note,
    )
