"""Runs and rollbacks of several processes meet in one environment, and their executors are killed.

An undo works there alone, whatever began before it, waits for it, or was left by the dead.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.conftest import Amount, Figure
from tests.torture.crowd import BADLY, DB, WELL, Crowd, crowd, elsewhere, resuming
from tests.torture.killing import Grave

FORCED = ("--from", "test", "--to", "deploy", "--force", "--reason", "torture", "--yes", *DB)


def meeting(grave: Grave, chance: random.Random) -> tuple[str, ...]:
    """Run something that ends well or is rolled back, roll back by hand, or resume."""
    kind = chance.choice(("run", "run", "roll back", "resume"))
    if kind == "resume":
        return resuming(grave, chance)
    rows = grave.rows("SELECT id FROM runs WHERE status = 'succeeded'") if kind != "run" else ()
    if rows:
        return ("rollback", str(chance.choice(rows)["id"]), *FORCED)
    return chance.choice((WELL, BADLY))


def overlapped(one: Crowd) -> list[str]:
    """What found another in the environment."""
    path = one.home / "overlapped"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.attack("one environment")
def test_an_undo_is_alone_in_its_environment_whoever_meets_there_and_dies(
    rng: random.Random, amount: Amount, figure: Figure, homes: Iterator[Path]
) -> None:
    kills = undos = 0
    with crowd(next(homes)) as first:
        first.write(breaker=0)
        points = first.points()
        for _ in range(amount(short=1, long=60)):
            here = elsewhere(first, next(homes))
            here.write(breaker=0)
            here.do(WELL)
            here.work(meeting, points, amount(short=3, long=8), rng)
            here.finish()
            assert overlapped(here) == [], here.grave.output()
            ended = [row["status"] for row in here.grave.rows("SELECT * FROM rollback_events")]
            assert set(ended) <= {"succeeded"}, here.grave.output()
            kills += len(here.grave.noted("killed"))
            undos += len(ended)
    figure("kills", f"{kills}, at {len(points)} named points")
    figure("rollbacks that met nobody", undos)


@pytest.mark.control("one environment")
def test_undos_meet_others_where_nobody_asks_who_is_there(
    rng: random.Random, homes: Iterator[Path]
) -> None:
    with crowd(next(homes), without="holders") as here:
        here.write(breaker=0, pause=0.3)
        here.do(WELL)
        here.work(lambda *_: BADLY, (), 2, rng)
        assert overlapped(here)


@pytest.mark.control("one environment")
def test_an_undo_meets_what_the_dead_left_where_nobody_asks_for_it(homes: Iterator[Path]) -> None:
    with crowd(next(homes), without="programs that go on") as here:
        here.write(breaker=0, pause=2)
        here.do(WELL)
        assert here.do(WELL, "started deploy 1")
        here.do(("rollback", "1", *FORCED))
        assert overlapped(here) == ["undo of 1"]
