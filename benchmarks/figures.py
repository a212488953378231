"""What is measured, and what it is held to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol, TypeAlias

from benchmarks.growth import Curve

OURS = "orchestrate-tui"
FLOOR = "floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one subject needed for one workload, a sample for each round.

    `unit` is that of the samples: s, ms, MB or %. `stores` says what is durable before the work
    goes on, "" where nothing is. Without samples `note` says why there are none. `cpu_s` are the
    seconds of processor time of each round, where they were taken. `peak_memory_mb` is that of
    the process that does the work, None where nobody looked.
    """

    workload: str
    title: str
    subject: str
    unit: str = "s"
    samples: tuple[float, ...] = ()
    cpu_s: tuple[float, ...] = ()
    peak_memory_mb: float | None = None
    stores: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """The middle sample. Raises StatisticsError where there is none."""
        return median(self.samples)


Measurement: TypeAlias = Figure | Curve


class Limit(Protocol):
    """What is promised of a workload."""

    @property
    def text(self) -> str:
        """What is promised, as people say it."""

    def measured(self, found: Sequence[Measurement]) -> str:
        """What was measured of it, as people say it; "" when nothing was."""

    def met(self, found: Sequence[Measurement]) -> bool | None:
        """Whether it is kept; None when that was not measured."""


def rounded(value: float) -> str:
    """A number with three digits that count, or whole."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The median of `subject` is at most `limit`, in its unit.

    With `against` it is a ratio: the median divided by the least one of those named that were
    measured. `of` is what is looked at: the samples, cpu_s, or peak_memory_mb. `title` narrows it
    to the figures of that title, where a workload has several.
    """

    text: str
    limit: float
    subject: str = OURS
    against: tuple[str, ...] = ()
    of: str = "samples"
    title: str = ""

    def met(self, found: Sequence[Measurement]) -> bool | None:
        value = self._value(found)
        return None if value is None else value <= self.limit

    def measured(self, found: Sequence[Measurement]) -> str:
        value = self._value(found)
        if value is None:
            return ""
        if not self.against:
            return f"{rounded(value)} {self._unit(found)}"
        return f"{value:.2f} times" if value >= 1 else f"{1 / value:.1f} times as fast"

    def _unit(self, found: Sequence[Measurement]) -> str:
        units = {"cpu_s": "s of CPU", "peak_memory_mb": "MB"}
        return units.get(self.of) or next(self._figures(found, (self.subject,))).unit

    def _value(self, found: Sequence[Measurement]) -> float | None:
        own = list(self._taken(found, (self.subject,)))
        others = list(self._taken(found, self.against))
        if not own or (self.against and not others):
            return None
        return own[0] / min(others) if others else own[0]

    def _taken(self, found: Sequence[Measurement], subjects: Sequence[str]) -> Iterator[float]:
        for figure in self._figures(found, subjects):
            if self.of == "peak_memory_mb":
                if figure.peak_memory_mb is not None:
                    yield figure.peak_memory_mb
            elif samples := getattr(figure, self.of):
                yield median(samples)

    def _figures(self, found: Sequence[Measurement], subjects: Sequence[str]) -> Iterator[Figure]:
        for one in found:
            if not isinstance(one, Figure) or one.subject not in subjects:
                continue
            if self.title in {"", one.title}:
                yield one


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthTarget:
    """The cost that the curve of this title shows grows at most with this exponent."""

    text: str
    limit: float
    title: str = ""

    def met(self, found: Sequence[Measurement]) -> bool | None:
        worst = self._exponent(found)
        return None if worst is None else worst <= self.limit

    def measured(self, found: Sequence[Measurement]) -> str:
        worst = self._exponent(found)
        return "" if worst is None else f"exponent {worst:.2f}"

    def _exponent(self, found: Sequence[Measurement]) -> float | None:
        curves = [
            one
            for one in found
            if isinstance(one, Curve) and one.subject == OURS and self.title in {"", one.title}
        ]
        return max((one.exponent for one in curves), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure: in `short` form few rounds, no peers, and only what a limit is held to.

    `peers` names the other engines to measure, () for none. `scratch` is a folder for whatever
    the measuring writes.
    """

    rounds: int
    short: bool
    peers: tuple[str, ...]
    scratch: Path


class Workload(Protocol):
    """A module of `benchmarks.workloads`."""

    TITLE: str
    TARGETS: Sequence[Limit]
    SHORT: Sequence[Limit]
    """What the short form is held to: ratios and exponents, never times; () leaves it out."""

    @staticmethod
    def measure(options: Options) -> list[Measurement]:
        """Take the figures."""
