"""A page of the history, however many runs and events there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.figures import GrowthTarget, Limit, Measurement, Options
from benchmarks.growth import Curve, points
from benchmarks.histories import history
from orchestrate_tui.console.run_picture import RunPicture
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store.history import History

TITLE = "a page of the history"
_LIMIT = 0.1
TARGETS: Sequence[Limit] = (
    GrowthTarget(text="a page costs the same however long the history is", limit=_LIMIT),
)
SHORT: Sequence[Limit] = (
    GrowthTarget(text="a page costs at most the power of 0.3 of the length", limit=0.3),
)
_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_SHORT_SIZES = (2_000, 8_000, 32_000)
_AT_ONCE = 20
Look = Callable[[History, int], object]


def _failed(history: History, runs: int) -> object:
    return history.runs(pipeline="service-10", status=RunStatus.FAILED, before=runs)


LOOKS: dict[str, tuple[str, Look]] = {
    "the newest runs": ("runs", lambda history, _: history.runs(limit=100)),
    "runs from the middle": ("runs", lambda history, runs: history.runs(before=runs // 2)),
    "the failed runs of one pipeline": ("runs", _failed),
    "one run with its stages": (
        "runs",
        lambda history, runs: RunPicture.read(history, runs // 3),
    ),
    "the newest rollbacks": ("runs", lambda history, _: history.rollbacks()),
    "what happened since the last look": (
        "events",
        lambda history, runs: history.touched(runs - 100, runs),
    ),
    "the events of one run": ("events", lambda history, runs: history.events(runs // 3)),
}
"""What a console reads, each at one moment; as many events as runs are there."""


def measure(options: Options) -> list[Measurement]:
    sizes = _SHORT_SIZES if options.short else _SIZES
    paths = {size: history(options.scratch, size) for size in sizes}
    return [_curve(title, of, look, paths, options.rounds) for title, (of, look) in LOOKS.items()]


def _curve(title: str, of: str, look: Look, paths: dict[int, Path], rounds: int) -> Curve:
    histories = {size: History(path) for size, path in paths.items()}

    def cost_ms(size: int) -> float:
        began = time.perf_counter()
        for _ in range(_AT_ONCE):
            look(histories[size], size)
        return (time.perf_counter() - began) * 1000 / _AT_ONCE

    for size in paths:
        cost_ms(size)  # which fills the caches
    taken = points(tuple(paths), rounds, cost_ms)
    for opened in histories.values():
        opened.close()
    return Curve(workload="growth-history", title=title, of=of, points=taken, unit="ms")
