"""What the console takes of a core while nothing happens, and while fifty stages run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.busy import sleeping
from benchmarks.figures import OURS, Figure, Limit, Measurement, Options, Target
from benchmarks.histories import history
from benchmarks.terminal import CANCEL_IT, Session, ask_to_quit, console, session, start_run

TITLE = "processor time of an open console"
IDLE, BUSY = "nothing runs", "50 stages run"
TARGETS: Sequence[Limit] = (
    Target(text="idle at most 1% of a core", limit=1, title=IDLE),
    Target(text="with 50 stages running at most 10%", limit=10, title=BUSY),
)
SHORT: Sequence[Limit] = ()
STAGES = 50
_WATCHED_S = 10.0
_RUNS = 1000


def measure(options: Options) -> list[Measurement]:
    idle, busy = [], []
    for number in range(options.rounds):
        folder = options.scratch / str(number)
        database = history(folder, _RUNS)
        file = sleeping(folder, STAGES, seconds=600)
        with session(console(database, file), leave_with=CANCEL_IT, folder=folder) as running:
            running.until(f"#{_RUNS}", "Quit")
            idle.append(_share(running))
            start_run(running, STAGES)
            running.until(f"#{_RUNS + 1}")
            busy.append(_share(running))
            ask_to_quit(running)
    return [_figure(IDLE, idle), _figure(BUSY, busy)]


def _share(running: Session) -> float:
    """The processor time of the console in percent, after it has settled."""
    time.sleep(2)
    began, before = time.perf_counter(), running.cpu_s()
    time.sleep(_WATCHED_S)
    return 100 * (running.cpu_s() - before) / (time.perf_counter() - began)


def _figure(title: str, shares: Sequence[float]) -> Figure:
    return Figure(
        workload="console-cpu", title=title, subject=OURS, unit="%", samples=tuple(shares)
    )
