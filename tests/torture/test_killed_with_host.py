"""Executors are killed together with their stage hosts, while stages take their time.

Nobody saw then how these stages end. What may not run twice is asked about, whatever is begun again
finds nothing left of the attempt before, and in the end no process is left.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrate_tui.domain.status import ENDED_RUNS
from tests.torture.conftest import Amount, Figure
from tests.torture.killing import (
    KILLED,
    PATIENCE_S,
    RESUME,
    RUN,
    Grave,
    Nursery,
    check_truth,
    lost,
)
from tests.torture.mortal import DATABASE, HOME, Job

WORK = (
    "exec 9>>held.$ORCHESTRATE_STAGE; flock -n 9 || echo $ORCHESTRATE_STAGE >>overlapped;"
    ' echo "$ORCHESTRATE_STAGE stage $ORCHESTRATE_ATTEMPT began" >>effects;'
    " (setsid sleep 60 &); sleep 0.1; while [ -e held_up ]; do sleep 0.01; done;"
    ' echo "$ORCHESTRATE_STAGE stage $ORCHESTRATE_ATTEMPT done" >>effects'
)
"""What it leaves in the background holds the lock of the stage until it is ended.

It does not end while there is a file `held_up`."""

PIPELINE = f"""\
name: long
agents: {{worker: {{command: [/bin/sh, -c, '{WORK}']}}}}
max_parallel: 3
stages:
  - {{name: build, agent: worker, task: t}}
  - {{name: fetch, agent: worker, task: t, depends_on: [], idempotent: true}}
  - {{name: scan, agent: worker, task: t, depends_on: build}}
  - {{name: pack, agent: worker, task: t, depends_on: build, idempotent: true}}
  - {{name: ship, agent: worker, task: t, depends_on: [scan, pack, fetch]}}
"""
IDEMPOTENT = frozenset({"fetch", "pack"})
CANCEL = ("cancel", "1", "--db", DATABASE)
LOST = re.compile(r"Nobody knows how far (.+) of run 1 came")
LATEST_S = 0.15
"""A death comes so long after its point at the latest; a stage takes 0.1 s."""


@dataclass(slots=True)
class Operator:
    """Goes on with a run whose executor died; `reruns` are the stages told to run again."""

    nursery: Nursery
    grave: Grave
    without: str = ""
    reruns: Counter[str] = field(default_factory=Counter)
    asked: int = 0

    def do(self, command: tuple[str, ...], point: str = "", after_s: float = 0.0) -> bool:
        """Give a command; whether its process died."""
        job = Job(
            home=str(self.grave.home), commands=(command,), point=point,
            with_host_after_s=after_s, without=self.without,
        )  # fmt: skip
        status = self.nursery.bear(job)
        assert status in {KILLED, 0}, self.grave.output()
        if status == KILLED and self.grave.has_run():
            assert lost(self.grave) == 0
            check_truth(self.grave)
        return status == KILLED

    def next(self) -> tuple[str, ...]:
        """The command that goes on: a resumption that says what became of all that is lost."""
        if not self.grave.has_run():
            return RUN
        if self.status() in ENDED_RUNS:
            return ()
        before = starts(self.grave)
        if self.do(RESUME) or self.grave.noted("exit")[-1] != "2 resume":
            return ()
        assert starts(self.grave) == before, "something was started without an answer"
        names = LOST.findall(self.grave.output())[-1]
        return (*RESUME, *self._settled(re.findall(r"'(\w+)'", names)))

    def _settled(self, stages: list[str]) -> Iterator[str]:
        self.asked += len(stages)
        done = {stage for stage, _, _, how in self.grave.effects() if how == "done"}
        for stage in stages:
            assert stage not in IDEMPOTENT
            self.reruns[stage] += stage not in done
            yield from ("--stage", stage, "--as", "done" if stage in done else "rerun")

    def status(self) -> str:
        (run,) = self.grave.rows("SELECT * FROM runs")
        return str(run["status"])


def starts(grave: Grave) -> int:
    """How often a process was to be started; the dead may have left some that have yet to begin."""
    return sum(point.startswith("to start") for point in grave.noted("point"))


def begun(grave: Grave) -> Counter[str]:
    """How often each stage began."""
    return Counter(stage for stage, _, _, how in grave.effects() if how == "began")


def until_begun(grave: Grave, stage: str) -> None:
    """Wait for what a stage does first, which may come after its executor and its host."""
    deadline = time.monotonic() + PATIENCE_S
    while not begun(grave)[stage]:
        assert time.monotonic() < deadline, grave.output()
        time.sleep(0.01)


def damage(operator: Operator) -> list[str]:
    """What must not be, once the run has ended."""
    grave = operator.grave
    overlapped = grave.home / "overlapped"
    return [
        *(
            f"{stage} began {times} times"
            for stage, times in begun(grave).items()
            if stage not in IDEMPOTENT and times > 1 + operator.reruns[stage]
        ),
        *(
            f"{s} overlapped"
            for s in (overlapped.read_text().split() if overlapped.exists() else ())
        ),
        *(f"{name} is left" for name in left(grave.home)),
    ]


def left(home: Path) -> list[str]:
    """The programs that still run of those that were started in the folder."""
    mark, found = f"{HOME}={home}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "comm").read_text().strip())
        except OSError:
            continue
    return found


def survive(operator: Operator, deaths: list[tuple[str, float]], *, is_cancelled: bool) -> None:
    """Let a run die with its hosts so long after these points, one after the other, and end it."""
    (operator.grave.home / "pipeline.yaml").write_text(PIPELINE)
    for point, after_s in deaths:
        if command := operator.next():
            operator.do(command, point, after_s)
    if is_cancelled and operator.grave.has_run() and operator.status() not in ENDED_RUNS:
        operator.do(CANCEL)
        assert operator.status() == "cancelled", operator.grave.output()
        return
    if command := operator.next():
        operator.do(command)
    assert operator.status() == "succeeded", operator.grave.output()


def points(nursery: Nursery, home: Path) -> list[str]:
    """The points at which something of a stage is under way."""
    operator = Operator(nursery, Grave(home))
    survive(operator, [], is_cancelled=False)
    assert damage(operator) == []
    return [one for one in operator.grave.points() if one.startswith(("to start", "started"))]


@pytest.mark.attack("killed with its host")
def test_killed_with_its_host_nothing_is_taken_for_alive_done_twice_or_left(
    nursery: Nursery, rng: random.Random, amount: Amount, figure: Figure, homes: Iterator[Path]
) -> None:
    known = points(nursery, next(homes))
    kills = asked = 0
    for _ in range(amount(short=8, long=500)):
        deaths = [
            (rng.choice(known), LATEST_S * rng.random()) for _ in range(rng.choice((1, 1, 2)))
        ]
        operator = Operator(nursery, Grave(next(homes)))
        survive(operator, deaths, is_cancelled=rng.random() < 0.3)
        assert damage(operator) == []
        kills += len(operator.grave.noted("killed"))
        asked += operator.asked
    figure("kills of executor and host", kills)
    figure("stages asked about", asked)


@pytest.mark.control("killed with its host")
@pytest.mark.parametrize(
    ("without", "expected"), [("asking", "build began 2 times"), ("ending", "sleep is left")]
)
def test_without_a_protection_there_is_damage(
    without: str, expected: str, nursery: Nursery, tmp_path: Path
) -> None:
    operator = Operator(nursery, Grave(tmp_path), without)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    held_up = tmp_path / "held_up"
    held_up.touch()  # or its end is seen by its host, if that takes long to be killed
    assert operator.do(RUN, "started build 1")
    until_begun(operator.grave, "build")
    held_up.unlink()
    survive(operator, [], is_cancelled=False)
    assert expected in damage(operator)
    operator.grave.bury()
