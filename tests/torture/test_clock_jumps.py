"""The clock of days is set by hours while work goes on, and nothing follows from it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pytest

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store import open_database
from orchestrate_tui.store.recovery import mark_interrupted
from tests.store.scenery import Store
from tests.torture.conftest import Amount, Figure
from tests.torture.crowd import BADLY, DB, WELL, Crowd
from tests.torture.killing import (
    COURSES,
    DOCTOR,
    PIPELINE,
    RUN,
    Blow,
    Course,
    Grave,
    Nursery,
    damage,
    suffered,
    survive,
)
from tests.torture.mortal import CLOCK, DATABASE
from tests.torture.protections import WITHOUT
from tests.wall_clock import Replace, WallClock

HOUR_S = 3600.0
HOURS = (-30, -7, -2, 2, 7, 30)
LONGEST_S = 10.0
"""How long something may take that is due after a second, on a machine with other things to do."""

LIMITED = (
    PIPELINE.replace("{work}'", "{work}'], timeout: 1h")
    .replace("1h]}}", "1h}}")
    .replace("requires_approval: true", "requires_approval: true\n    approval: {{timeout: 1h}}")
    .replace("{{attempts: 4}}", "{{attempts: 4, delay: 0.1s}}")
)
"""The pipeline of the bench with limits of time that nothing of it comes near."""
LOOKS = (("show", "1", *DB), ("runs", "--since", "1h", *DB), DOCTOR)
PATIENT = tuple(
    replace(course, commands=(*course.commands, *LOOKS), text=LIMITED) for course in COURSES
)
DUE = Course(
    "is due",
    "smoke",
    (RUN,),
    RunStatus.SUCCEEDED,
    """\
name: due
agents:
  waiter: {{command: [/bin/sleep, "100"], timeout: 1s}}
  flaky: {{command: [/bin/sh, -c, '[ "$ORCHESTRATE_ATTEMPT" -gt 1 ]']}}
  worker: {{command: ["true"]}}
stages:
  - {{name: hangs, agent: waiter, task: t, depends_on: [], on_failure: continue}}
  - {{name: again, agent: flaky, task: t, depends_on: [], retry: {{attempts: 2, delay: 1s}}}}
  - name: asked
    agent: worker
    task: t
    depends_on: []
    requires_approval: true
    approvers: ["{user}"]
    approval: {{timeout: 1s, on_timeout: approve}}
""",
)
"""A time limit, a delay and an approval, each of a second."""
ENDS = {
    "started hangs 1": "ended hangs 1",
    "after stage again running retrying 1": "to start again 2",
    "after stage asked pending waiting_approval": "to start asked 1",
}
"""What is waited for there, and what comes of it a second later."""


def jumps_at(rng: random.Random, points: Sequence[str]) -> dict[str, float]:
    """How the clock is set at one to four of the points."""
    return {point: rng.choice(HOURS) * HOUR_S for point in rng.choices(points, k=rng.randint(1, 4))}


def known(points: Sequence[str]) -> list[str]:
    """The points at which there is a database."""
    return [one for one in points if not one.endswith(" parts")]


@pytest.mark.attack("clock jumps")
def test_a_run_during_which_the_clock_is_set_ends_as_any_other(
    nursery: Nursery, rng: random.Random, amount: Amount, figure: Figure, homes: Iterator[Path]
) -> None:
    points = {
        course.name: known(survive(nursery, next(homes), course, ()).points()) for course in PATIENT
    }
    times = 0
    for course in islice(cycle(PATIENT), amount(short=6, long=150)):
        blow: Blow = {"jumps": jumps_at(rng, points[course.name])}
        with suffered(nursery, next(homes), course, blow) as grave:
            assert (damage(grave, course), grave.noted("dead")) == ([], []), grave.output()
            times += len(grave.noted("jumped"))
    figure("jumps", times)


@pytest.mark.attack("clock jumps")
def test_who_dies_where_the_clock_is_set_is_gone_on_from(
    nursery: Nursery, rng: random.Random, amount: Amount, figure: Figure, homes: Iterator[Path]
) -> None:
    course = PATIENT[1]
    points = known(survive(nursery, next(homes), course, ()).points())
    deaths = 0
    for _ in range(amount(short=4, long=120)):
        blows = [{"jumps": jumps_at(rng, points), "point": rng.choice(points)} for _ in range(2)]
        grave = survive(nursery, next(homes), course, blows)
        assert grave.noted("dead") == []
        deaths += len(grave.noted("killed"))
    figure("deaths", deaths)


def waited_s(grave: Grave) -> list[float]:
    """How long it took for each of what is due after a second."""
    passed: dict[str, float] = {}
    for line in grave.journal():
        at, what = line.split(" ", 1)
        passed.setdefault(what.removeprefix("point "), float(at))
    return [passed[end] - passed[begin] for begin, end in ENDS.items()]


@pytest.mark.attack("clock jumps")
@pytest.mark.parametrize("hours", [-30, 30])
def test_what_is_due_after_a_second_is_neither_late_nor_early(
    hours: int, nursery: Nursery, homes: Iterator[Path]
) -> None:
    jumps = dict.fromkeys(ENDS, hours * HOUR_S)
    with suffered(nursery, next(homes), DUE, {"jumps": jumps, "approves": False}) as grave:
        assert grave.rows("SELECT status FROM runs")[0]["status"] == DUE.status, grave.output()
        assert len(grave.noted("jumped")) == len(ENDS)
        assert all(0.9 < seconds < LONGEST_S for seconds in waited_s(grave)), waited_s(grave)


@pytest.mark.control("clock jumps")
def test_who_goes_by_the_clock_of_days_waits_for_nothing(nursery: Nursery, tmp_path: Path) -> None:
    blow: Blow = {
        "jumps": dict.fromkeys(ENDS, 30 * HOUR_S),
        "approves": False,
        "without": "steady timers",
    }
    with suffered(nursery, tmp_path, DUE, blow) as grave:
        assert min(waited_s(grave)) < 0.9


def taken_for_dead(path: Path, replace: Replace) -> tuple[int, ...]:
    """The runs of which that is said when the clock is set while their executor lives."""
    with open_database(path) as database:
        store = Store.of(database)
        store.change_run(store.new_run(), RunStatus.PENDING, RunStatus.RUNNING)
        WallClock(path.with_name(CLOCK), replace=replace).jump(2 * HOUR_S)
        found = mark_interrupted(database, utc_now())
        store.owner.release()
    return found


@pytest.mark.attack("clock jumps")
def test_nobody_is_taken_for_dead_because_a_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert taken_for_dead(tmp_path / "store.db", monkeypatch.setattr) == ()


@pytest.mark.control("clock jumps")
def test_who_judges_by_when_something_was_written_takes_the_living_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name, other in WITHOUT["locks of owners"]:
        monkeypatch.setattr(place, name, other)
    assert taken_for_dead(tmp_path / "store.db", monkeypatch.setattr) == (1,)


def order_of_deployments(one: Crowd, rng: random.Random, times: int) -> list[str]:
    """Deploy again and again, the clock being set in between; what came of it that must not."""
    clock = WallClock(one.home / CLOCK, replace=nothing)
    found = []
    for number in range(1, times + 1):
        clock.jump(rng.choice(HOURS) * HOUR_S)
        one.do(WELL)
        one.do(undo(rng.randint(1, number - 1)) if number > 1 else DOCTOR)
        if number > 1 and one.grave.noted("exit")[-1] != "2 rollback":
            found.append(f"an older deployment was undone beside run {number}")
    for number in range(times, 0, -1):
        clock.jump(rng.choice(HOURS) * HOUR_S)
        one.do(undo(number))
        if one.grave.noted("exit")[-1] != "0 rollback":
            found.append(f"run {number} could not be undone")
    return found


def undo(run_id: int) -> tuple[str, ...]:
    steps = ("--from", "deploy", "--to", "deploy", "--reason", "torture", "--yes")
    return ("rollback", str(run_id), *steps, *DB)


def nothing(*_: object) -> None:
    """Leave the clock of this process as it is."""


@pytest.mark.attack("clock jumps")
def test_no_clock_says_which_deployment_is_newer(
    nursery: Nursery, rng: random.Random, amount: Amount, homes: Iterator[Path]
) -> None:
    for _ in range(amount(short=1, long=40)):
        one = Crowd(next(homes), [nursery])
        one.write(breaker=0, pause=0)
        assert order_of_deployments(one, rng, amount(short=3, long=6)) == [], one.grave.output()


@pytest.mark.control("clock jumps")
def test_by_the_clock_older_deployments_are_undone_over_newer_ones(
    nursery: Nursery, tmp_path: Path
) -> None:
    one = Crowd(tmp_path, [nursery], without="order of the record")
    one.write(breaker=0, pause=0)
    one.do(WELL)
    WallClock(tmp_path / CLOCK, replace=nothing).jump(-2 * HOUR_S)
    one.do(WELL)
    one.do(undo(1))
    assert one.grave.noted("exit")[-1] == "0 rollback"


@pytest.mark.attack("clock jumps")
def test_after_a_reset_a_breaker_trips_again_whatever_the_clock_says(
    nursery: Nursery, rng: random.Random, amount: Amount, homes: Iterator[Path]
) -> None:
    for _ in range(amount(short=1, long=20)):
        one = Crowd(next(homes), [nursery])
        one.write(breaker=2, pause=0)
        clock = WallClock(one.home / CLOCK, replace=nothing)
        for number in (1, 2, 3):
            for code in ("1", "1", "2"):
                one.do(BADLY)
                assert one.grave.noted("exit")[-1] == f"{code} run", one.grave.output()
            one.do(("reset", str(number), "--reason", "torture", *DB))
            clock.jump(-rng.choice((2, 7, 30)) * HOUR_S)


@pytest.mark.control("clock jumps")
def test_a_breaker_that_counts_by_the_clock_does_not_trip_again(
    nursery: Nursery, tmp_path: Path
) -> None:
    one = Crowd(tmp_path, [nursery], without="order of rollbacks")
    one.write(breaker=1, pause=0)
    one.do(BADLY)
    one.do(("reset", "1", "--reason", "torture", *DB))
    WallClock(tmp_path / CLOCK, replace=nothing).jump(-2 * HOUR_S)
    for _ in range(2):
        one.do(BADLY)
    assert one.grave.noted("exit")[-1] == "1 run"


FAILS, REFUSED = "1 run", "2 run"


def age(home: Path, hours: float) -> None:
    """Have all rollbacks happened earlier by the clock of the system's start."""
    with closing(sqlite3.connect(home / DATABASE)) as connection, connection:
        connection.execute("UPDATE rollback_events SET boot_s = boot_s - ?", (hours * HOUR_S,))


def hours_of_a_breaker(one: Crowd, rng: random.Random, times: int) -> list[str]:
    """Trip a breaker of two again and again, the clock being set in between.

    Returns what was refused too early or let in too late.
    """
    clock = WallClock(one.home / CLOCK, replace=nothing)
    found = []
    for number in range(1, times + 1):
        for meanwhile, expected in (("", FAILS), ("hours pass", FAILS), ("", FAILS), ("", REFUSED)):
            if meanwhile:
                age(one.home, 2)
            clock.jump(-2 * HOUR_S if meanwhile else rng.choice((-7, -2, 2, 7, 30)) * HOUR_S)
            one.do(BADLY)
            if one.grave.noted("exit")[-1] != expected:
                found.append(f"{one.grave.noted('exit')[-1]} where it should be {expected}")
        one.do(("reset", str(number), "--reason", "torture", *DB))
    return found


@pytest.mark.attack("clock jumps")
def test_a_breaker_counts_an_hour_whatever_the_clock_says(
    nursery: Nursery, rng: random.Random, amount: Amount, homes: Iterator[Path]
) -> None:
    for _ in range(amount(short=1, long=30)):
        one = Crowd(next(homes), [nursery])
        one.write(breaker=2, pause=0)
        assert hours_of_a_breaker(one, rng, amount(short=1, long=3)) == [], one.grave.output()


@pytest.mark.control("clock jumps")
def test_a_breaker_that_counts_an_hour_of_the_clock_trips_too_early_and_too_late(
    nursery: Nursery, rng: random.Random, tmp_path: Path
) -> None:
    one = Crowd(tmp_path, [nursery], without="steady hours")
    one.write(breaker=2, pause=0)
    assert hours_of_a_breaker(one, rng, 1)
