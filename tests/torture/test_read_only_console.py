"""Random keys, clicks and garbage, typed into a console that may only read, under strace."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.desk import Desk
from tests.acceptance.test_read_only_under_strace import EVERYTHING, Traced, can_trace

pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace")
]
SEQUENCES = "[]?>=<;:0123456789ABCDHFMmPQRSZtuy~$ \\"
NUMBERS, ENDS = "0123456789;:<?", "ABCDEFHIMOPQRSZmtuy~"


def keys(rng: random.Random, count: int) -> list[str]:
    """Keys that mean something, and now and then a sequence that means nothing."""
    typed = rng.choices(EVERYTHING, k=count)
    for place in rng.sample(range(count), count // 10):
        if rng.random() < 0.5:
            typed[place] = "\x1b" + "".join(rng.choices(SEQUENCES, k=rng.randint(1, 12)))
        else:  # one that a terminal might send
            numbers = "".join(rng.choices(NUMBERS, k=rng.randint(1, 12)))
            typed[place] = f"\x1b[{numbers}{rng.choice(ENDS)}"
    return [one for one in typed if one != "q"]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[str]]:
    """What the kernel was asked for that is no reading, while keys were typed."""
    desk = Desk(tmp_path)
    desk.pipeline("- {name: build, agent: fine, task: Build}\n")
    assert desk.do("run", "shop.yaml").code == 0
    with closing(sqlite3.connect(desk.database)) as last:
        last.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def typed(*words: str, keys: list[str]) -> list[str]:
        found, left = list[str](), list(keys)
        while left:  # a click may quit; what was not typed is typed into another console
            with Traced(desk, *words) as console:
                console.until("build")
                while left and console.process.poll() is None:
                    console.press(*left[:50])
                    del left[:50]
                assert console.leave() == 0, f"it ended badly at\n{console.text}"
                found += console.offences()
        return found

    return typed


@pytest.mark.attack("keys into a read-only console")
def test_no_keys_make_a_read_only_console_do_anything(
    rng: random.Random,
    amount: Callable[..., int],
    figure: Callable[[str, object], None],
    look: Callable[..., list[str]],
) -> None:
    typed = keys(rng, amount(short=150, long=20_000))
    assert look("--read-only", keys=typed) == []
    figure("keys, clicks and sequences typed", len(typed))


@pytest.mark.control("keys into a read-only console")
def test_the_same_keys_make_an_operators_console_write(
    rng: random.Random, look: Callable[..., list[str]]
) -> None:
    del rng  # an operator's console writes before the first key
    assert look(keys=["1", "2"]) != []
