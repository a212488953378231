"""Several processes that run, roll back and resume in one environment, and die while they do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.torture.killing import KILLED, Grave, Nursery, lost
from tests.torture.mortal import DATABASE, Job

DB = ("--db", DATABASE)
WAYS = 4
"""So many processes work at the same time."""

_DEPLOY = (
    'exec 9>>held; flock -s -n 9 || echo "run $ORCHESTRATE_RUN_ID" >>overlapped; sleep {pause}'
)
_UNDO = (
    'exec 9>>held; flock -x -n 9 || echo "undo of $ORCHESTRATE_RUN_ID" >>overlapped; sleep {pause}'
)
"""Stages may work beside each other, an undo beside nothing: its lock is for itself."""

_PIPELINE = f"""\
name: {{name}}
environments: {{{{production: {{{{breaker: {{breaker}}}}}}}}}}
agents:
  deployer: {{{{command: [/bin/sh, -c, '{_DEPLOY}']}}}}
  undoer: {{{{command: [/bin/sh, -c, '{_UNDO}']}}}}
  tester: {{{{command: ["{{test}}"]}}}}
stages:
  - name: deploy
    agent: deployer
    task: t
    environment: production
    idempotent: true
    rollback: {{{{agent: undoer, task: t, idempotent: true}}}}
  - {{{{name: test, agent: tester, task: t, on_failure: rollback, rollback_to: deploy}}}}
"""

WELL, BADLY = ("run", "well.yaml", *DB), ("run", "badly.yaml", *DB)
Next = Callable[[Grave, random.Random], tuple[str, ...]]
"""The command that one of them gives now; () for none."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Processes that work in one folder at the same time; `without`: see Job."""

    home: Path
    nurseries: Sequence[Nursery]
    without: str = ""

    @property
    def grave(self) -> Grave:
        return Grave(self.home)

    def write(self, *, breaker: int, pause: float = 0.05) -> None:
        """Write a pipeline that ends well, and one whose test fails, so that it is rolled back."""
        for name, test in (("well", "true"), ("badly", "false")):
            text = _PIPELINE.format(name=name, test=test, breaker=breaker, pause=pause)
            (self.home / f"{name}.yaml").write_text(text)

    def do(self, command: tuple[str, ...], point: str = "", *, by: int = 0) -> bool:
        """Give a command that dies at a point; whether it did."""
        job = Job(home=str(self.home), commands=(command,), point=point, without=self.without)
        status = self.nurseries[by].bear(job)
        assert status in {KILLED, 0}, self.grave.output()
        return status == KILLED

    def work(self, following: Next, points: Sequence[str], times: int, rng: random.Random) -> None:
        """Have all of them give so many commands, of which a third dies at one of the points."""

        def one(by: int, chance: random.Random) -> None:
            for _ in range(times):
                point = chance.choice(points) if points and chance.random() < 1 / 3 else ""
                if command := following(self.grave, chance):
                    self.do(command, point, by=by)

        chances = [random.Random(rng.randrange(2**32)) for _ in self.nurseries]
        with ThreadPoolExecutor(len(chances)) as threads:
            for _ in threads.map(one, range(len(chances)), chances):
                pass

    def finish(self) -> None:
        """Go on with everything that was left, one after the other, until all has ended."""
        force = ("--take-over", "--reason", "torture")  # where others have deployed since
        while left := unended(self.grave):
            self.do(("resume", str(left[0]), *force, *DB))
        assert lost(self.grave) == 0
        self.grave.bury()

    def points(self) -> list[str]:
        """The points of a run that is rolled back."""
        self.do(BADLY)
        return [one for one in self.grave.points() if "schema" not in one]


def unended(grave: Grave) -> list[int]:
    """The runs that have not ended, or a rollback of which has not."""
    rows = grave.rows(
        "SELECT id FROM runs WHERE completed_at IS NULL"
        " UNION SELECT run_id FROM rollback_events WHERE completed_at IS NULL ORDER BY id"
    )
    return [row["id"] for row in rows]


def resuming(grave: Grave, chance: random.Random) -> tuple[str, ...]:
    """Resume one of the runs that have not ended, whoever works on it."""
    left = unended(grave)
    return ("resume", str(chance.choice(left)), *DB) if left else ()


@contextmanager
def crowd(home: Path, without: str = "") -> Iterator[Crowd]:
    """A crowd in a folder; what its dead left running is ended."""
    with ExitStack() as stack:
        nurseries = [stack.enter_context(Nursery()) for _ in range(WAYS)]
        made = Crowd(home, nurseries, without)
        try:
            yield made
        finally:
            made.grave.bury()


def elsewhere(one: Crowd, home: Path) -> Crowd:
    """The same processes in another folder."""
    return replace(one, home=home)
