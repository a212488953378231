"""A log of one gigabyte: opened at its end, searched, followed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import OURS, Figure, GrowthTarget, Limit, Measurement, Options, Target
from benchmarks.growth import Curve, Point
from benchmarks.histories import history
from benchmarks.terminal import Session, console, session
from orchestrate_tui.console.log_file import LogFile
from orchestrate_tui.store.database import StoreFiles

TITLE = "a log of 1 GB"
SHOWN, FOUND, FOLLOWED = "key to its end shown", "searched through backwards", "a line followed"
SMALL = "a log of 1 MB"
TARGETS: Sequence[Limit] = (
    Target(text="its end is shown within 0.2 s", limit=0.2, title=SHOWN),
    Target(text="constant memory: at most 1.1 times that with a log of 1 MB", limit=1.1,
           against=(SMALL,), of="peak_memory_mb", title=SHOWN),
    GrowthTarget(text="a page of it costs the same at any length", limit=0.1),
)  # fmt: skip
SHORT: Sequence[Limit] = (
    GrowthTarget(text="a page costs at most the power of 0.3 of the length", limit=0.3),
)
MEGABYTE = 1 << 20
_LINE = b"%09d compiling a module of the service, which takes its time and says so\n"
_RARE = "a needle"


def measure(options: Options) -> list[Measurement]:
    if options.short:
        return [_curve(options, (1, 4, 16, 64))]
    found: list[Measurement] = []
    for subject, megabytes in ((SMALL, 1), (OURS, 1024)):
        found += _figures(options, subject, megabytes)
    return [*found, _curve(options, (1, 32, 1024))]


def _figures(options: Options, subject: str, megabytes: int) -> list[Figure]:
    database = history(options.scratch / f"log-{megabytes}", 1)
    log = StoreFiles(database).log(1, "deploy-staging", 1)
    taken: dict[str, list[float]] = {SHOWN: [], FOUND: [], FOLLOWED: []}
    memory_mb = 0.0
    for _ in range(options.rounds):
        _write(log, megabytes)
        with session(console(database), leave_with="q") as running:
            _look_at(running, log, taken)
        memory_mb = max(memory_mb, running.peak_memory_mb)
    return [
        Figure(workload="W13", title=title, subject=subject, samples=tuple(samples),
               peak_memory_mb=memory_mb)
        for title, samples in taken.items()
    ]  # fmt: skip


def _look_at(running: Session, log: Path, taken: dict[str, list[float]]) -> None:
    """Go to the stage with that log, have it searched, and write one more line."""
    running.until("#1", "Quit")
    running.type("G")
    time.sleep(1)
    running.type("\x1b[D")  # the stage before the one that failed
    time.sleep(0.2)
    asked = running.type("\x1b[D")
    time.sleep(0.2)
    taken[SHOWN].append(running.until("the last line", after=asked) - asked)
    running.type("L")
    running.quiet(0.5)
    running.type("/")
    running.quiet(0.3)
    running.type(_RARE)
    running.quiet(0.3)
    running.type("\r")
    running.quiet(1)
    asked = running.type("N")
    taken[FOUND].append(running.until("here it is", after=asked) - asked)
    running.type("f")
    running.quiet(0.5)
    written = time.perf_counter()
    with log.open("ab") as file:
        file.write(b"and one more\n")
    taken[FOLLOWED].append(running.until("and one more", after=written) - written)
    running.type("q")
    running.quiet(0.3)


def _write(log: Path, megabytes: int) -> None:
    """A log of that length; what is searched for stands near its beginning."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        count = 0
        for _ in range(megabytes):
            lines = [_LINE % number for number in range(count, count + MEGABYTE // len(_LINE % 0))]
            count += len(lines)
            file.write(b"".join(lines))
            if count == len(lines):
                file.write(f"{_RARE}: here it is\n".encode())
                file.write(b"".join(_LINE % number for number in range(1000)))
        file.write(b"the last line\n")


def _curve(options: Options, megabytes: Sequence[int]) -> Curve:
    taken = []
    for size in megabytes:
        log = options.scratch / f"{size}.log"
        _write(log, size)
        _page_ms(log)
        taken.append(Point(size=size, samples=tuple(_page_ms(log) for _ in range(options.rounds))))
        log.unlink()
    return Curve(workload="W13", title="opening a log at its end, a page of it",
                 of="MB", points=tuple(taken), unit="ms")  # fmt: skip


def _page_ms(path: Path) -> float:
    """How long a log takes to be opened and its last lines to be read, in ms."""
    began = time.perf_counter()
    log = LogFile(path)
    log.catch_up()
    lines = log.lines(log.line_count - 50, 50)
    if lines[-1] != "the last line":
        raise SystemExit(f"the end of {path} is not {lines[-1]!r}")
    return (time.perf_counter() - began) * 1000
