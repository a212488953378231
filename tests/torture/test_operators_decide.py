"""Operators decide at the same moment how a rollback goes on, and executors are killed meanwhile.

Of those who decide about a step that failed one is heard; what was decided is recorded, is done
once, and is not forgotten when the executor dies in that moment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.conftest import Amount, Figure
from tests.torture.killing import (
    KILLED,
    RESUME,
    RUN,
    UNDO,
    WORK,
    Grave,
    Nursery,
    check_truth,
    doubled,
    lost,
    missing,
)
from tests.torture.mortal import DATABASE, Job

ACTIONS = ("retry", "skip", "done")
FAILS = '[ "$ORCHESTRATE_STAGE" != warm ] || [ $((ORCHESTRATE_ATTEMPT % 2)) = 0 ] || exit 3'
HALF_BROKEN = UNDO.replace("; echo", f"; {FAILS}; echo")
"""The undo of one stage fails each time that it is not tried again."""

STAGE = (
    "{{name: {}, agent: worker, task: t, rollback: {{agent: undoer, task: t, idempotent: true}}}}"
)
PIPELINE = "\n  - ".join(
    (
        f"""\
name: decided
agents:
  worker: {{command: [/bin/sh, -c, '{WORK}']}}
  undoer: {{command: [/bin/sh, -c, '{HALF_BROKEN}']}}
stages:""",
        *map(STAGE.format, ("deploy", "warm", "smoke")),
    )
)
ROLL_BACK = (
    "rollback", "1", "--from", "smoke", "--to", "deploy", "--reason", "torture", "--yes", "--wait",
    "--db", DATABASE,
)  # fmt: skip


def next_command(grave: Grave, rng: random.Random) -> tuple[str, ...]:
    """What somebody does now: roll back, or go on with that, with a decision or without."""
    found = grave.rows("SELECT * FROM rollback_events")
    if not found:
        return ROLL_BACK
    (event,) = found
    if event["completed_at"]:
        return ()
    if event["waiting_since"] and rng.random() < 0.5:
        reason = ("--reason", f"says {rng.randrange(10**9)}")
        return ("rollback-step", "1", rng.choice(ACTIONS), *reason, "--db", DATABASE)
    return RESUME


def survive(
    nursery: Nursery, home: Path, deaths: list[str], rng: random.Random, *, without: str = ""
) -> Grave:
    """Roll a run back whose executors die at these points, while two decide whenever it waits."""
    (home / "pipeline.yaml").write_text(PIPELINE)
    grave = Grave(home)
    nursery.bear(Job(home=str(home), commands=(RUN,)))
    for point in (*deaths, ""):
        if command := next_command(grave, rng):
            pair = (rng.choice(ACTIONS), rng.choice(ACTIONS))
            job = Job(
                home=str(home), commands=(command,), point=point, decisions=pair, without=without
            )
            status = nursery.bear(job)
            assert status in {KILLED, 0}, grave.output()
            assert lost(grave) == 0
            check_truth(grave)
    grave.bury()
    return grave


def points_of_rollback(grave: Grave) -> list[str]:
    """The points that were come to since the run had ended."""
    lines = [line.split(" ", 1)[1] for line in grave.journal()]
    later = lines[lines.index("begin rollback") :]
    points = (one.removeprefix("point ") for one in later if one.startswith("point "))
    return list(dict.fromkeys(points))


def damage(grave: Grave) -> list[str]:
    """What must not be: decisions beside others, forgotten, or done by halves."""
    return [*doubled(grave), *missing(grave), *_beside_others(grave), *_unlike_answers(grave)]


def _decisions(grave: Grave) -> list[str]:
    query = (
        "SELECT detail FROM events WHERE kind = 'step' AND from_status = 'failed' AND actor <> ''"
    )
    return [row["detail"] for row in grave.rows(query)]


def _beside_others(grave: Grave) -> Iterator[str]:
    """Decisions about a step that did not wait for any, or not any more."""
    waits = False
    for row in grave.rows("SELECT * FROM events WHERE rollback_id = 1 ORDER BY id"):
        if row["kind"] == "waiting":
            waits = True
        elif row["kind"] == "step" and row["from_status"] == "failed":
            if not waits:
                yield f"decided without need: {row['detail']}"
            waits = False


def _unlike_answers(grave: Grave) -> Iterator[str]:
    """Operators who were told something else than what was recorded."""
    recorded = _decisions(grave)
    for row in grave.rows("SELECT * FROM commands WHERE kind = 'step'"):
        times = sum(row["idempotency_key"] in detail for detail in recorded)
        if times != (row["status"] == "done"):
            yield f"a decision that is {row['status']} was recorded {times} times"


@pytest.mark.attack("operators decide")
def test_operators_decide_and_one_of_them_is_heard_whoever_dies(
    nursery: Nursery, rng: random.Random, amount: Amount, figure: Figure, homes: Iterator[Path]
) -> None:
    points = points_of_rollback(survive(nursery, next(homes), [], rng))
    kills = heard = said = 0
    for _ in range(amount(short=6, long=600)):
        deaths = rng.choices(points, k=rng.choice((1, 2, 3)))
        grave = survive(nursery, next(homes), deaths, rng)
        assert damage(grave) == [], grave.output()
        (event,) = grave.rows("SELECT * FROM rollback_events")
        assert event["status"] == "succeeded", grave.output()
        kills += len(grave.noted("killed"))
        heard += len(_decisions(grave))
        said += len(grave.rows("SELECT * FROM commands WHERE kind = 'step'"))
    figure("kills", f"{kills}, at {len(points)} named points")
    figure("decisions", f"{heard} were heard, {said} were sent by two at a time")


@pytest.mark.control("operators decide")
def test_operators_decide_beside_each_other_where_nobody_looks(
    nursery: Nursery, rng: random.Random, tmp_path: Path
) -> None:
    found = damage(survive(nursery, tmp_path, [], rng, without="one decision"))
    assert any("decided without need" in what for what in found)
