"""Disks that are full at any moment, for the database or for logs: work waits, and goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store.database import StoreFiles
from tests.small_disk import small_disk
from tests.torture.conftest import Amount, Figure
from tests.torture.killing import (
    COURSES,
    RUN,
    Blow,
    Course,
    Grave,
    Nursery,
    damage,
    suffered,
    survive,
)
from tests.torture.mortal import DATABASE

LOGS = StoreFiles(Path(DATABASE)).runs.name
DISKS = {"database": ".", "logs": LOGS, "both": "."}
"""What lies on the disk that is full, and where in the home that disk is."""
FIRST_START = {
    disk: {"full": ("to start build 1",), "disk": where} for disk, where in DISKS.items()
}
"""No stage host is there yet."""
SPARED = ("journal", "output", "effects")
"""What the bench writes lies elsewhere."""

CHAIN = Course(
    "speaks",
    "smoke",
    (RUN,),
    RunStatus.SUCCEEDED,
    """\
name: chain
agents:
  speaker: {{command: [/bin/sh, -ec, 'echo "$ORCHESTRATE_STAGE speaks"']}}
stages:
  - {{name: one, agent: speaker, task: t}}
  - {{name: two, agent: speaker, task: t}}
  - {{name: three, agent: speaker, task: t}}
""",
)
"""Stages, one after the other, that fail when they cannot write their first line."""
BETWEEN = tuple(
    f"{when} stage {name} running succeeded 1"
    for name in ("one", "two")
    for when in ("before", "after")
)
"""Points at which none of them works."""


@contextmanager
def house(folder: Path, disk: str) -> Iterator[Path]:
    """A home on a small disk; its logs lie on one of their own, unless the disk is for both."""
    folder.mkdir()
    home = folder / "home"
    with ExitStack() as stack:
        stack.enter_context(small_disk(home))
        if disk != "both":
            stack.enter_context(small_disk(home / LOGS))
        for name in SPARED:
            (home / name).symlink_to(folder / name)
        yield home


def full_at(rng: random.Random, points: Sequence[str], disk: str) -> Blow:
    """A disk that is full at one to three of the points."""
    return {"full": tuple(rng.choices(points, k=rng.randint(1, 3))), "disk": DISKS[disk]}


def unheard(grave: Grave) -> list[str]:
    """Stages of the chain whose log does not say what they said."""
    folder = StoreFiles(grave.path).runs / "1"
    logs = {name: folder / f"{name}.1.log" for name in ("one", "two", "three")}
    heard = {name: log.read_text() if log.exists() else "" for name, log in logs.items()}
    return [name for name, text in heard.items() if text != f"{name} speaks\n"]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The points of each course."""

    def found(course: Course) -> list[str]:
        home = tmp_path_factory.mktemp("calm")
        return sorted(survive(nursery, home, course, ()).points())

    with Nursery() as nursery:
        return {course.name: found(course) for course in COURSES}


@pytest.mark.attack("full disks")
@pytest.mark.parametrize("disk", DISKS)
def test_on_a_disk_that_is_full_for_a_while_a_run_goes_on_by_itself(
    disk: str, nursery: Nursery, rng: random.Random, amount: Amount, figure: Figure,
    points: dict[str, list[str]], tmp_path: Path,
) -> None:  # fmt: skip
    full = waited = 0
    for lap, course in enumerate(islice(cycle(COURSES), amount(short=3, long=120))):
        with house(tmp_path / str(lap), disk) as home:
            blow = full_at(rng, points[course.name], disk) if lap else FIRST_START[disk]
            with suffered(nursery, home, course, blow) as grave:
                assert damage(grave, course) == [], grave.output()
            full += len(grave.noted("full"))
            waited += len(grave.noted("waited"))
    figure("full disks", f"{full}, of which {waited} were waited for")


@pytest.mark.attack("full disks")
@pytest.mark.parametrize("disk", DISKS)
def test_who_dies_on_a_full_disk_is_gone_on_from(
    disk: str, nursery: Nursery, rng: random.Random, amount: Amount, figure: Figure,
    points: dict[str, list[str]], tmp_path: Path,
) -> None:  # fmt: skip
    deaths = 0
    for lap, course in enumerate(islice(cycle(COURSES), amount(short=3, long=90))):
        known = points[course.name]
        blows = [{**full_at(rng, known, disk), "point": rng.choice(known)} for _ in range(2)]
        with house(tmp_path / str(lap), disk) as home:
            deaths += len(survive(nursery, home, course, blows).noted("killed"))
    figure("deaths", deaths)


@pytest.mark.attack("full disks")
@pytest.mark.parametrize("disk", ["logs", "both"])
def test_no_stage_starts_that_could_not_write_its_log(
    disk: str, nursery: Nursery, rng: random.Random, amount: Amount, tmp_path: Path
) -> None:
    for lap in range(amount(short=2, long=60)):
        blow = full_at(rng, BETWEEN, disk)
        with (
            house(tmp_path / str(lap), disk) as home,
            suffered(nursery, home, CHAIN, blow) as grave,
        ):
            assert unheard(grave) == [], grave.output()


@pytest.mark.control("full disks")
@pytest.mark.parametrize("point", BETWEEN)
def test_who_does_not_wait_for_room_for_a_log_fails(
    point: str, nursery: Nursery, tmp_path: Path
) -> None:
    with house(tmp_path / "house", "logs") as home:
        blow = {"full": (point,), "disk": LOGS, "without": "room"}
        with suffered(nursery, home, CHAIN, blow) as grave:
            assert unheard(grave)
            assert "it is failed" in damage(grave, CHAIN)


@pytest.mark.control("full disks")
@pytest.mark.parametrize("point", ["started build 1", "ended ship 1"])
def test_who_does_not_wait_for_room_in_the_database_is_stuck(
    point: str, nursery: Nursery, tmp_path: Path
) -> None:
    with house(tmp_path / "house", "database") as home:
        blow = {"full": (point,), "disk": DISKS["database"], "without": "patience"}
        with suffered(nursery, home, COURSES[0], blow) as grave:
            assert "it is running" in damage(grave, COURSES[0])
