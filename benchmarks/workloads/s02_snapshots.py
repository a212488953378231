"""Ten thousand small files, kept and put back, beside `cp -a` of the same folder."""

from __future__ import annotations

from benchmarks.figures import FLOOR, OURS, Figure, Limit, Measurement, Options, Target
from benchmarks.snapshots import AGAIN, COPY, FIRST, RESTORE, rounds_of

TITLE = "10,000 files of 4 KiB, kept and put back"
TARGETS: tuple[Limit, ...] = (
    Target(
        text="put back in at most twice the time of `cp -a`", limit=2, against=(FLOOR,),
        title=RESTORE,
    ),
)  # fmt: skip
SHORT: tuple[Limit, ...] = ()
FILES, BYTES = 10_000, 4096


def measure(options: Options) -> list[Measurement]:
    found = rounds_of(options.scratch, options.rounds, FILES, BYTES)
    return [
        figure
        for title in (FIRST, AGAIN, RESTORE)
        for figure in (
            _figure(title, FLOOR, found[COPY], "", "`cp -a` of the same folder, not synced"),
            _figure(title, OURS, found[title], "every file and the record of it, synced", ""),
        )
    ]


def _figure(title: str, subject: str, seconds: list[float], stores: str, note: str) -> Figure:
    return Figure(
        workload="snapshots",
        title=title,
        subject=subject,
        samples=tuple(seconds),
        stores=stores,
        note=note,
    )
