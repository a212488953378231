"""Keys typed while the console's own executor commits a thousand events a second."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.busy import retrying
from benchmarks.figures import Figure, Limit, Measurement, Options, Target
from benchmarks.histories import history
from benchmarks.keys import CHOSEN_RUN, CHOSEN_STAGE, Step, latencies_ms, percentile
from benchmarks.terminal import (
    CANCEL_IT,
    Session,
    ask_to_quit,
    console,
    session,
    start_run,
)

TITLE = "key press to painted frame, a thousand events a second arriving"
IN_THE_GRAPH, IN_THE_RUNS = "from stage to stage of the busy run", "from run to run"
TARGETS: Sequence[Limit] = tuple(
    Target(text=f"{title}: 99 of 100 keys at most 50 ms", limit=50, title=title)
    for title in (IN_THE_GRAPH, IN_THE_RUNS)
)
SHORT: Sequence[Limit] = ()

STAGES = 200
CYCLE_S = 0.4
KEYS = 95
EVERY_S = 0.08
_RUNS = 1000


def measure(options: Options) -> list[Measurement]:
    graph, runs, rates = [], [], []
    for number in range(options.rounds):
        folder = options.scratch / str(number)
        database = history(folder, _RUNS)
        file = retrying(folder, STAGES, CYCLE_S)
        with session(console(database, file), leave_with=CANCEL_IT, folder=folder) as running:
            start_run(running, STAGES)
            running.until("running")
            began, events = time.monotonic(), _events(database)
            graph.append(_in_the_graph(running))
            runs.append(_in_the_runs(running))
            rates.append((_events(database) - events) / (time.monotonic() - began))
            ask_to_quit(running)
    note = f"{min(rates):.0f} to {max(rates):.0f} events a second"
    return [
        _figure(IN_THE_GRAPH, graph, note),
        _figure(IN_THE_RUNS, runs, note),
    ]


def _in_the_graph(running: Session) -> list[float]:
    running.until("s000")
    steps = [("j", f"s{number:03}") for number in range(1, KEYS + 1)]
    time.sleep(1)
    running.type("g")  # until it takes effect, the console itself goes from stage to stage
    time.sleep(1)
    return latencies_ms(running, steps, CHOSEN_STAGE, every_s=EVERY_S)


def _in_the_runs(running: Session) -> list[float]:
    running.type("1")
    time.sleep(0.5)
    steps: list[Step] = [("j", str(_RUNS - number)) for number in range(KEYS)]
    return latencies_ms(running, steps, CHOSEN_RUN, every_s=EVERY_S)


def _events(database: Path) -> int:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        (count,) = connection.execute("SELECT max(id) FROM events").fetchone()
    finally:
        connection.close()
    return int(count)


def _figure(title: str, rounds: Sequence[Sequence[float]], note: str) -> Figure:
    keys = [sample for one in rounds for sample in one]
    return Figure(
        workload="W10",
        title=title,
        subject="orchestrate-tui",
        unit="ms",
        samples=tuple(percentile(one, 0.99) for one in rounds),
        note=f"99 of 100; of all {len(keys)} keys half took at most "
        f"{percentile(keys, 0.5):.0f} ms, the longest {max(keys):.0f} ms; {note}",
    )
