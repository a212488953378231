"""Several processes deploy what fails again and again, and are killed while it is rolled back.

The breaker trips with that rollback which is one too many, and not before; then no run begins, and
every rollback goes on, until somebody resets it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.conftest import Amount, Figure
from tests.torture.crowd import BADLY, DB, Crowd, crowd, elsewhere, resuming
from tests.torture.killing import Grave


def failing(grave: Grave, chance: random.Random) -> tuple[str, ...]:
    """Deploy what fails, resume, or reset a breaker."""
    open_ones = grave.rows("SELECT id FROM breakers WHERE reset_at IS NULL")
    kind = chance.choice(("run", "run", "resume", "reset"))
    if kind == "reset" and open_ones:
        return ("reset", str(open_ones[0]["id"]), "--reason", "torture", *DB)
    return resuming(grave, chance) if kind == "resume" else BADLY


def damage(grave: Grave, most: int) -> Iterator[str]:
    """What the record says that must not be, where `most` rollbacks trip the breaker."""
    created = {row["id"]: row["created_at"] for row in grave.rows("SELECT * FROM rollback_events")}
    begun, since, is_tripped = set[int](), "", False
    for row in grave.rows("SELECT * FROM events ORDER BY id"):
        match row["kind"], row["to_status"]:
            case "rollback", "running":
                if len(begun) >= most and not is_tripped:
                    yield f"not tripped before rollback {row['rollback_id']}"
                if created[row["rollback_id"]] > since:
                    begun.add(row["rollback_id"])
            case "breaker", "tripped":
                if is_tripped or len(begun) < most:
                    yield f"tripped by {len(begun)} rollbacks"
                is_tripped = True
            case "breaker", "reset":
                since, is_tripped = row["at"], False
                begun = {one for one in begun if created[one] > since}
            case "run", "pending" if is_tripped:
                yield f"run {row['run_id']} was let in"
    for row in grave.rows("SELECT * FROM rollback_events WHERE status <> 'succeeded'"):
        yield f"rollback {row['id']} is {row['status']}"


def deploy_again_and_again(
    one: Crowd, most: int, points: list[str], times: int, rng: random.Random
) -> list[str]:
    one.write(breaker=most, pause=0)
    one.do(BADLY)
    one.work(failing, points, times, rng)
    one.finish()
    return list(damage(one.grave, most))


@pytest.mark.attack("breakers")
def test_a_breaker_trips_in_time_and_withholds_no_rollback_whoever_dies(
    rng: random.Random, amount: Amount, figure: Figure, homes: Iterator[Path]
) -> None:
    kills = rollbacks = trips = refused = 0
    with crowd(next(homes)) as first:
        first.write(breaker=0, pause=0)
        points = first.points()
        for _ in range(amount(short=1, long=60)):
            here = elsewhere(first, next(homes))
            most = rng.randrange(1, 5)
            found = deploy_again_and_again(here, most, points, amount(short=4, long=8), rng)
            assert found == [], here.grave.output()
            kills += len(here.grave.noted("killed"))
            refused += here.grave.noted("exit").count("2 run")
            rollbacks += len(here.grave.rows("SELECT * FROM rollback_events"))
            trips += len(here.grave.rows("SELECT * FROM breakers"))
    figure("kills", f"{kills}, at {len(points)} named points")
    figure("breakers tripped", f"{trips} in {rollbacks} rollbacks, {refused} runs were refused")


@pytest.mark.control("breakers")
@pytest.mark.parametrize(
    ("without", "expected"), [("tripping", "not tripped before"), ("refusing", "was let in")]
)
def test_without_it_what_fails_is_deployed_on_and_on(
    without: str, expected: str, homes: Iterator[Path]
) -> None:
    with crowd(next(homes), without) as here:
        here.write(breaker=1, pause=0)
        for _ in range(2):
            here.do(BADLY)
        assert any(expected in what for what in damage(here.grave, 1))
