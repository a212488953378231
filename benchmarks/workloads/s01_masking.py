"""The log of a stage with twenty secrets, beside one that nothing masks."""

from __future__ import annotations

from benchmarks.figures import FLOOR, OURS, Figure, Limit, Measurement, Options
from benchmarks.masking import Taken, copied, masked, measured

TITLE = "100 MB of log with twenty secrets"
TARGETS: tuple[Limit, ...] = ()
SHORT: tuple[Limit, ...] = ()
MEGABYTES = 100


def measure(options: Options) -> list[Measurement]:
    found = measured((copied, masked), MEGABYTES, options.rounds, options.scratch)
    return [
        _figure(FLOOR, found[0], "copied through a pipe by a process, as it is"),
        _figure(OURS, found[1], "through the process that masks"),
    ]


def _figure(subject: str, taken: list[Taken], note: str) -> Figure:
    return Figure(
        workload="masking",
        title=TITLE,
        subject=subject,
        samples=tuple(one.seconds for one in taken),
        cpu_s=tuple(one.cpu_s for one in taken),
        note=note,
    )
