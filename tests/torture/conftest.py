"""What an attack is given: its chance, its amount, and a place for its figures."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.torture.killing import Nursery

Amount = Callable[..., int]
Figure = Callable[[str, object], None]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance that the seed and the name of the test decide, and nothing else."""
    return random.Random(f"{request.config.option.seed} {request.node.nodeid}")


@pytest.fixture
def seed(rng: random.Random) -> int:
    """A seed for what cannot take `rng`."""
    return rng.randrange(2**32)


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Amount:
    """How much to do: `amount(short=…, long=…)`."""

    def chosen(*, short: int, long: int) -> int:
        return long if request.config.option.long else short

    return chosen


@pytest.fixture
def figure(record_property: Figure) -> Figure:
    """Tells what was measured, `figure("slowest recovery", "0.21 s")`; the summary shows it."""
    return record_property


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """Where processes come from that die at named points."""
    with Nursery() as opened:
        yield opened


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Path]:
    """A new folder whenever it is asked for one."""

    def build() -> Iterator[Path]:
        for number in count(1):
            home = tmp_path / str(number)
            home.mkdir()
            yield home

    return build()
