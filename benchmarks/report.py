"""The report: the machine, a table and plots for each workload, what is kept and missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmarks.figures import FLOOR, OURS, Figure, rounded
from benchmarks.growth import Curve
from benchmarks.machine import Machine
from benchmarks.results import Record, Results
from benchmarks.workloads import MODULES, workload

HEAD = """\
# What it costs

`make bench` measured this and wrote this page; `results.json` beside it has every sample. A figure
is the median of its rounds, in which all subjects take turns, so that a busy moment hits them
alike; a ratio therefore says more than a time. A load above the number of cores means that other
work kept the machine busy, and that times are too long; what a million additions in Python took
tells how fast it was then. Memory is the peak of the process that does the work.
"""
MARKS = {True: "kept", False: "**missed**", None: "not measured"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A plot of `figures`, or of `curves`; `name` is that of its file without the ending."""

    name: str
    text: str
    figures: tuple[Figure, ...] = ()
    curves: tuple[Curve, ...] = ()


def page(results: Results) -> str:
    """The text of the report; it shows the pictures that `pictures` names."""
    keys = [key for key in MODULES if key in results.workloads]
    parts = [HEAD]
    if keys:
        newest = max((results.workloads[key] for key in keys), key=lambda one: one.measured_at)
        parts += [_machine(newest.machine), _summary(results)]
        for key in keys:
            parts.append(_section(key, results.workloads[key], newest.machine))
    return "\n".join(parts)


def pictures(key: str, record: Record) -> Iterator[Picture]:
    """What is drawn of one workload: the figures of one title, and the curves of one kind."""
    for title, group in groupby(record.figures, key=lambda figure: figure.title):
        figures = tuple(one for one in group if one.samples)
        if len(figures) > 1:
            text = f"{title}, {figures[0].unit}"
            yield Picture(name=_slug(key, title), text=text, figures=figures)
    for of, unit in dict.fromkeys((one.of, one.unit) for one in record.curves):
        curves = tuple(one for one in record.curves if (one.of, one.unit) == (of, unit))
        text = f"cost in {unit} against {of}"
        yield Picture(name=_slug(key, "growth", of, unit), text=text, curves=curves)


def _machine(machine: Machine) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"Measured on {machine.cores} cores of {machine.processor}, {machine.memory_gb:g} GB, "
        f"{machine.system}, databases on {machine.disk}, with {versions}.\n"
    )


def _summary(results: Results) -> str:
    """All limits, those of workloads that were never measured too."""
    rows = [
        (key, limit.text, limit.measured(found), MARKS[limit.met(found)])
        for key in MODULES
        for found in [results.workloads[key].measurements if key in results.workloads else ()]
        for limit in workload(key).TARGETS
    ]
    return "## What is promised\n\n" + _table(("", "promised", "measured", ""), rows)


def _section(key: str, record: Record, newest: Machine) -> str:
    parts = [f"## {key}: {record.title}\n", _when(record, newest)]
    for title, group in groupby(record.figures, key=lambda figure: figure.title):
        parts.append(_figures(title if title != record.title else "", list(group)))
    if record.curves:
        parts.append(_curves(record.curves))
    parts += [f"![{one.text}](plots/{one.name}.svg)\n" for one in pictures(key, record)]
    return "\n".join(parts)


def _when(record: Record, newest: Machine) -> str:
    commit = f", commit {record.machine.commit}" if record.machine.commit else ""
    load = f", load {record.machine.load:g} before it"
    additions_s = record.machine.additions_s
    speed = f", a million additions in {additions_s:.3f} s" if additions_s else ""
    text = f"Measured {record.measured_at:%Y-%m-%d %H:%M} UTC{commit}{load}{speed}.\n"
    here = (newest.processor, newest.cores, newest.system)
    if (record.machine.processor, record.machine.cores, record.machine.system) != here:
        text += "\nOn another machine: " + _machine(record.machine)
    return text


def _figures(title: str, figures: Sequence[Figure]) -> str:
    """The table of what was measured in one unit, the floor as the ratio's other side."""
    floor = next((one for one in figures if one.subject == FLOOR and one.samples), None)
    rows = [_row(one, floor) for one in figures]
    head = ("", "median", "all rounds", "to the floor", "memory", "stores before going on")
    return (f"### {title}\n\n" if title else "") + _table(head, rows)


def _row(figure: Figure, floor: Figure | None) -> tuple[str, ...]:
    name = f"**{figure.subject}**" if figure.subject == OURS else figure.subject
    stores = "; ".join(filter(None, (figure.stores, figure.note)))
    if not figure.samples:
        return (name, "-", "", "", "", stores)
    ratio = figure.median / floor.median if floor is not None else None
    memory = figure.peak_memory_mb
    least, most = rounded(min(figure.samples)), rounded(max(figure.samples))
    return (
        name,
        f"{rounded(figure.median)} {figure.unit}",
        f"{least} to {most}, {len(figure.samples)} rounds",
        "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}",
        "" if memory is None else f"{memory:.0f} MB",
        stores,
    )


def _curves(curves: Sequence[Curve]) -> str:
    rows = [
        (
            one.title if one.subject == OURS else f"{one.title}, {one.subject}",
            ", ".join(f"{point.size:,}" for point in one.points) + f" {one.of}",
            ", ".join(rounded(point.median) for point in one.points) + f" {one.unit}",
            f"{one.exponent:.2f}",
            one.note,
        )
        for one in curves
    ]
    return _table(("", "at", "median", "exponent", ""), rows)


def _slug(*words: str) -> str:
    letters = "".join(one if one.isalnum() else " " for one in " ".join(words).lower())
    return "-".join(letters.encode("ascii", "ignore").decode().split())[:60]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
