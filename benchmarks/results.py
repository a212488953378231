"""What was measured, as it is kept in a file beside the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, Measurement
from benchmarks.growth import Curve
from benchmarks.machine import Machine

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One workload as it was measured last, and on what."""

    title: str
    measured_at: datetime
    machine: Machine
    figures: tuple[Figure, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return (*self.figures, *self.curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All workloads that were ever measured, each as it was measured last."""

    workloads: Mapping[str, Record] = field(default_factory=dict)


def read(path: Path = RESULTS) -> Results:
    """What is kept; nothing before the first time."""
    if not path.exists():
        return Results()
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, path: Path = RESULTS) -> None:
    content = msgspec.json.format(msgspec.json.encode(results), indent=1)
    path.write_bytes(content + b"\n")


def merged(
    results: Results, key: str, title: str, found: Sequence[Measurement], machine: Machine
) -> Results:
    """With one workload measured anew: only what one run found is compared."""
    record = Record(
        title=title,
        measured_at=datetime.now(UTC).replace(microsecond=0),
        machine=machine,
        figures=tuple(one for one in found if isinstance(one, Figure)),
        curves=tuple(one for one in found if isinstance(one, Curve)),
    )
    return Results(workloads={**results.workloads, key: record})
