"""The subjects that run graphs: the floor, SQLite alone, the executor, and the peers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.figures import FLOOR, OURS, Figure, Measurement, Options
from benchmarks.peers import PEERS
from benchmarks.peers.venv import NotInstalled, python_of, version_of
from benchmarks.shapes import shape as shape_of
from benchmarks.turns import ROOT, Subject, measured_in_turn

SQLITE = "SQLite alone"
IN_CONSOLE = "orchestrate-tui, in a console"
MOST_COMMITS = 2000
"""With more stages SQLite alone is left out: one commit after the other takes too long."""

LEFT_OUT = "left out of this measurement"
DURABLE = "every change of a stage and its event, SQLite, synchronous=FULL"


def measure_graph(
    workload: str,
    title: str,
    shape: str,
    options: Options,
    *,
    runs: int = 1,
    in_console: bool = False,
) -> list[Measurement]:
    """The figures of all engines for the graph that `shape` names, such as `layers 20 50`.

    With `in_console` the long form has a console run it too. It names every peer: of one that is
    not measured it says why.
    """
    subjects = list(own_subjects(shape, runs))
    absent = {} if options.short else {key: LEFT_OUT for key in PEERS if key not in options.peers}
    if in_console and not options.short:
        subjects.append(_driven(shape))
    for key in options.peers:
        try:
            subjects.append(_peer(key, shape, runs))
        except NotInstalled as reason:
            absent[key] = str(reason)
    found = measured_in_turn(workload, title, subjects, options.rounds, options.scratch)
    return [*found, *(_without(key, workload, title, why) for key, why in absent.items())]


def _without(key: str, workload: str, title: str, why: str) -> Figure:
    """What the report says of a peer that was not measured."""
    peer = PEERS[key]
    return Figure(workload=workload, title=title, subject=peer.name, stores=peer.stores, note=why)


def _peer(key: str, shape: str, runs: int) -> Subject:
    """The subject of another engine, installed if need be. Raises NotInstalled."""
    work = ROOT / "benchmarks" / "peers" / key / "work.py"
    return Subject(
        name=PEERS[key].name,
        command=(str(python_of(key)), str(work), *shape.split(), "--runs", str(runs)),
        stores=PEERS[key].stores,
        note=f"version {version_of(key)}",
    )


def _driven(shape: str) -> Subject:
    return Subject(
        name=IN_CONSOLE,
        command=(sys.executable, "-m", "benchmarks.driven", *shape.split()),
        stores=DURABLE,
        note="started by keys and shown while it runs",
    )


def own_subjects(shape: str, runs: int) -> Iterator[Subject]:
    words = [*shape.split(), "--runs", str(runs)]
    command = (sys.executable, "-m", "benchmarks.engine")
    yield Subject(
        name=FLOOR,
        command=(*command, "bare", *words),
        stores="nothing",
        note="a bare asyncio loop",
    )
    work = shape_of(shape.split())
    if not work.command and len(work.dependencies) <= MOST_COMMITS:
        yield Subject(
            name=SQLITE,
            command=(*command, "sqlite", *words),
            stores="two rows for each stage, SQLite, synchronous=FULL",
            note="runs nothing, one commit after the other",
        )
    yield Subject(
        name=OURS,
        command=(*command, "ours", *words),
        stores=DURABLE,
        note="its stage host started with the process, before the clock" if work.command else "",
    )
