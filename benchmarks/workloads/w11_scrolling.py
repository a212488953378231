"""Going through a million runs, page by page and run by run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.figures import Figure, Limit, Measurement, Options, Target
from benchmarks.histories import history
from benchmarks.keys import CHOSEN_RUN, PAGE_DOWN, latencies_ms, percentile, shown_after
from benchmarks.terminal import Session, console, session

TITLE = "scrolling through a million runs"
PAGES, ROWS = "page by page", "run by run"
TARGETS: Sequence[Limit] = tuple(
    Target(text=f"{title}: every step at most 30 ms", limit=30, title=title)
    for title in (PAGES, ROWS)
)
SHORT: Sequence[Limit] = ()

RUNS = 1_000_000
STEPS = 200
EVERY_S = 0.06


def measure(options: Options) -> list[Measurement]:
    database = history(options.scratch, RUNS)
    pages, rows, memory_mb = [], [], 0.0
    for _ in range(options.rounds):
        with session(console(database), leave_with="q") as running:
            running.until(f"#{RUNS}", "Quit")
            time.sleep(1.5)
            running.type("1")
            time.sleep(0.5)
            rows.append(_steps(running, "j"))
            pages.append(_steps(running, PAGE_DOWN))
        memory_mb = max(memory_mb, running.peak_memory_mb)
    return [_figure(PAGES, pages, memory_mb), _figure(ROWS, rows, memory_mb)]


def _steps(running: Session, key: str) -> list[float]:
    """How long each step took, after two that show how far one goes."""
    first = int(shown_after(running, key, CHOSEN_RUN))
    second = int(shown_after(running, key, CHOSEN_RUN))
    steps = [(key, str(second - (first - second) * number)) for number in range(1, STEPS + 1)]
    return latencies_ms(running, steps, CHOSEN_RUN, every_s=EVERY_S)


def _figure(title: str, rounds: Sequence[Sequence[float]], memory_mb: float) -> Figure:
    steps = [sample for one in rounds for sample in one]
    return Figure(
        workload="W11",
        title=title,
        subject="orchestrate-tui",
        unit="ms",
        samples=tuple(map(max, rounds)),
        peak_memory_mb=memory_mb,
        note=f"the longest of {len(rounds[0])} steps; half took at most "
        f"{percentile(steps, 0.5):.0f} ms, 99 of 100 {percentile(steps, 0.99):.0f} ms",
    )
