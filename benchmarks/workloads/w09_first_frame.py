"""The console, from its start to the first frame that shows the runs and the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import OURS, Figure, Limit, Measurement, Options, Target
from benchmarks.histories import history
from benchmarks.terminal import console, session

TITLE = "first frame of the console"
HELLO = "a Textual app that says hello"
EMPTY, FULL = "an empty database", "a database with a million runs"
RATIO = 1.3
TARGETS: Sequence[Limit] = tuple(
    Target(text=f"over {title} at most {RATIO} times {HELLO}", limit=RATIO, against=(HELLO,),
           title=title)
    for title in (EMPTY, FULL)
)  # fmt: skip
SHORT: Sequence[Limit] = (
    Target(text=f"at most 4 times {HELLO}", limit=4, against=(HELLO,), title=EMPTY),
)
_HELLO = str(Path(__file__).parents[1] / "hello.py")


@dataclass(slots=True)
class _Taken:
    samples: list[float] = field(default_factory=list)
    memory_mb: float = 0.0


def measure(options: Options) -> list[Measurement]:
    sizes = {EMPTY: 0} if options.short else {EMPTY: 0, FULL: 1_000_000}
    databases = {title: history(options.scratch, runs) for title, runs in sizes.items()}
    hello, ours = _Taken(), {title: _Taken() for title in sizes}
    for number in range(options.rounds + 1):
        _first_frame(hello, [_HELLO], "Hello, world!", keep=number > 0)
        for title, path in databases.items():
            shown = f"#{sizes[title]}" if sizes[title] else "No runs yet"
            _first_frame(ours[title], console(path), shown, "4 Rollbacks", "Quit", keep=number > 0)
    return [
        _figure(title, subject, taken)
        for title in sizes
        for subject, taken in ((HELLO, hello), (OURS, ours[title]))
    ]


def _first_frame(taken: _Taken, arguments: list[str], *texts: str, keep: bool) -> None:
    """Start a program and wait until it shows all of these; the first time fills the caches."""
    leave_with = "\x11" if texts == ("Hello, world!",) else "q"
    with session(arguments, leave_with=leave_with) as running:
        shown = running.until(*texts)
        running.quiet(0.2)
    if keep:
        taken.samples.append(shown - running.began)
        taken.memory_mb = max(taken.memory_mb, running.peak_memory_mb)


def _figure(title: str, subject: str, taken: _Taken) -> Figure:
    return Figure(
        workload="W9",
        title=title,
        subject=subject,
        samples=tuple(taken.samples),
        peak_memory_mb=taken.memory_mb,
    )
