"""Runs whose processes are killed at named points, and what must be true of them afterwards."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from orchestrate_tui.agents.wording import NO_ROOM
from orchestrate_tui.domain.status import ENDED_RUNS, RunStatus, StageStatus
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.history import History
from tests.small_disk import FILLER
from tests.torture.mortal import DATABASE, HOME, Job

REPOSITORY = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
PATIENCE_S = 60
GOES_ON = ("point after run interrupted running", "point to start")

WORK = (
    'echo "$ORCHESTRATE_STAGE stage $ORCHESTRATE_ATTEMPT began" >>effects;'
    ' [ "$ORCHESTRATE_TASK" != flaky ] || [ "$ORCHESTRATE_ATTEMPT" -gt 1 ] || exit 3;'
    ' until echo "v=$ORCHESTRATE_ATTEMPT" >>"$ORCHESTRATE_OUTPUT"; do sleep 0.01; done 2>/dev/null;'
    ' echo "$ORCHESTRATE_STAGE stage $ORCHESTRATE_ATTEMPT done" >>effects;'
    ' [ "$ORCHESTRATE_TASK" != fail ]'
)
UNDO = (
    'echo "$ORCHESTRATE_STAGE undo-$ORCHESTRATE_ROLLBACK_ID $ORCHESTRATE_ATTEMPT began" >>effects;'
    ' echo "$ORCHESTRATE_STAGE undo-$ORCHESTRATE_ROLLBACK_ID $ORCHESTRATE_ATTEMPT done" >>effects'
)
"""Each effect is a line that is appended, and says which attempt it is of.

What a stage puts out it tries to write until there is room for it."""

PIPELINE = """\
name: mortal
agents:
  worker: {{command: [/bin/sh, -c, '{work}']}}
  undoer: {{command: [/bin/sh, -c, '{undo}']}}
max_parallel: 3
stages:
  - {{name: build, agent: worker, task: build}}
  - name: deploy
    agent: worker
    task: deploy
    depends_on: build
    rollback: {{agent: undoer, task: undo, idempotent: true}}
  - name: warm
    agent: worker
    task: warm
    depends_on: deploy
    rollback: {{agent: undoer, task: undo, idempotent: true}}
  - {{name: lint, agent: worker, task: fail, depends_on: build, on_failure: continue}}
  - {{name: flaky, agent: worker, task: flaky, depends_on: build, retry: {{attempts: 4}}}}
  - name: ship
    agent: worker
    task: ship
    depends_on: [warm, lint, flaky]
    requires_approval: true
    approvers: ["{user}"]
    rollback: {{agent: undoer, task: undo, idempotent: true}}
  - name: smoke
    agent: worker
    task: {smoke}
    depends_on: ship
    on_failure: rollback
    rollback_to: deploy
  - {{name: never, agent: worker, task: never, depends_on: ship, when: {{branch: nowhere}}}}
"""
"""Stages beside each other, a retry, an allowed failure, an approval, a skip, undos."""

STAGES = ("build", "deploy", "warm", "lint", "flaky", "ship", "smoke", "never")
UNDONE = ("ship", "warm", "deploy")


@dataclass(frozen=True, slots=True)
class Course:
    """One course of events: its commands, and how its run ends; `text` is its pipeline."""

    name: str
    smoke: str
    commands: tuple[tuple[str, ...], ...]
    status: RunStatus
    text: str = PIPELINE

    def write(self, home: Path) -> None:
        text = self.text.format(work=WORK, undo=UNDO, user=current_user(), smoke=self.smoke)
        (home / "pipeline.yaml").write_text(text)


RUN = ("run", "pipeline.yaml", "--db", DATABASE)
RESUME = ("resume", "1", "--db", DATABASE)
DOCTOR = ("doctor", "--db", DATABASE)
ROLL_BACK = (
    "rollback", "1", "--from", "smoke", "--to", "deploy", "--reason", "torture", "--yes",
    "--db", DATABASE,
)  # fmt: skip
COURSES = (
    Course("succeeds", "smoke", (RUN,), RunStatus.SUCCEEDED),
    Course("rolls back by itself", "fail", (RUN,), RunStatus.FAILED),
    Course("is rolled back by hand", "smoke", (RUN, ROLL_BACK), RunStatus.SUCCEEDED),
)


class Nursery:
    """Has jobs carried out, one after the other; see mortal.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.mortal"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def bear(self, job: Job) -> int:
        """How the process of the job ended: its exit code, or minus the signal."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(job.text() + "\n")
        self._process.stdin.flush()
        answered, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        assert answered, f"it hangs: {job.text()}"
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Grave:
    """The folder of processes that died, or did not, and what can be read there."""

    home: Path

    @property
    def path(self) -> Path:
        return self.home / DATABASE

    def journal(self) -> list[str]:
        path = self.home / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def noted(self, word: str) -> list[str]:
        """What the journal says after this word."""
        lines = (line.split(" ", 2)[1:] for line in self.journal())
        return [rest for what, rest in lines if what == word]

    def points(self) -> list[str]:
        """The points that were come to, without repetition."""
        return list(dict.fromkeys(self.noted("point")))

    def output(self) -> str:
        """The last of what the commands said."""
        return (self.home / "output").read_text()[-3_000:]

    def bury(self) -> None:
        """End what the dead left running, and wait for its end."""
        mark = f"{HOME}={self.home}".encode()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdecimal() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    end(int(entry.name))

    def make_room(self) -> None:
        """Take away what the dead filled disks with."""
        for folder in (self.home, StoreFiles(self.path).runs):
            (folder / FILLER).unlink(missing_ok=True)

    def rows(self, query: str) -> list[sqlite3.Row]:
        connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def has_run(self) -> bool:
        if not self.path.exists():
            return False
        tables = {row["name"] for row in self.rows("SELECT name FROM sqlite_master")}
        return "runs" in tables and bool(self.rows("SELECT 1 FROM runs"))

    def effects(self) -> list[tuple[str, str, int, str]]:
        """What was done, in its order: stage, which work on it, its attempt, how far."""
        path = self.home / "effects"
        lines = path.read_text().splitlines() if path.exists() else ()
        return [(stage, work, int(n), how) for stage, work, n, how in map(str.split, lines)]


def end(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [])
    os.close(pidfd)


def lost(grave: Grave) -> int:
    """How many events were acknowledged and are not in the database."""
    acknowledged = max(map(int, grave.noted("acknowledged")), default=0)
    if not acknowledged:
        return 0
    (kept,) = grave.rows(f"SELECT count(*) FROM events WHERE id <= {acknowledged}")[0]
    return acknowledged - int(kept)


def doubled(grave: Grave) -> list[str]:
    """Effects that nobody had written down, or that were done again without need.

    Work is done again only when it is recorded that the attempt before had failed, or was under
    way when its process died.
    """
    allowed = {
        (row["stage_name"], _work_of(row), row["attempt"])
        for row in grave.rows("SELECT * FROM events WHERE to_status = 'running'")
    }
    done_well = Counter(
        (row["stage_name"], _work_of(row))
        for row in grave.rows(
            "SELECT * FROM events WHERE to_status = 'succeeded' AND kind IN ('stage', 'step')"
        )
    )
    begun = Counter(effect[:3] for effect in grave.effects() if effect[3] == "began")
    return [
        *(f"{work} began {times} times" for work, times in begun.items() if times > 1),
        *(f"{work} is not recorded" for work in begun if work not in allowed),
        *(f"{work} succeeded {times} times" for work, times in done_well.items() if times > 1),
        *_done_after_success(grave),
    ]


def repeated(grave: Grave) -> list[str]:
    """Work that was begun more often than it takes, although its processes outlived the dead."""
    begun = Counter(effect[:2] for effect in grave.effects() if effect[3] == "began")
    needed = {("flaky", "stage"): 2}
    return [f"{work} began {n} times" for work, n in begun.items() if n > needed.get(work, 1)]


def _done_after_success(grave: Grave) -> Iterable[str]:
    """Attempts that began although one before them is recorded as done well."""
    query = "SELECT * FROM events WHERE kind IN ('stage', 'step') ORDER BY id"
    succeeded: set[tuple[str, str]] = set()
    for row in grave.rows(query):
        work = (row["stage_name"], _work_of(row))
        if row["to_status"] == "running" and work in succeeded:
            yield f"{work} was started after it was done"
        if row["to_status"] == "succeeded":
            succeeded.add(work)


def _work_of(row: sqlite3.Row) -> str:
    return "stage" if row["kind"] == "stage" else f"undo-{row['rollback_id']}"


def missing(grave: Grave) -> list[str]:
    """Work that is recorded as done and left no effect."""
    done = {effect[:3] for effect in grave.effects() if effect[3] == "done"}
    recorded = {
        (row["stage_name"], _work_of(row), row["attempt"])
        for row in grave.rows(
            "SELECT * FROM events WHERE to_status = 'succeeded' AND kind IN ('stage', 'step')"
        )
    }
    return [f"{work} is recorded as done" for work in recorded - done]


def check_truth(grave: Grave) -> None:
    """What is shown after a death: nothing runs any more, and the file is sound."""
    assert [tuple(row) for row in grave.rows("PRAGMA integrity_check")] == [("ok",)]
    history = History(grave.path)
    run, stages = history.run(1), history.stages(1)
    history.close()
    assert run.status in ENDED_RUNS | {RunStatus.INTERRUPTED}
    assert all(stage.status is not StageStatus.RUNNING for stage in stages)
    begun = {(stage, attempt) for stage, work, attempt, _ in grave.effects() if work == "stage"}
    assert {stage for stage, _ in begun} <= {s.stage_name for s in stages if s.attempt}


def check_end(grave: Grave, course: Course) -> None:
    """Everything has ended as if nobody had died; who died may not have asked for a rollback."""
    was_rolled_back = bool(grave.rows("SELECT 1 FROM rollback_events"))
    (run,) = grave.rows("SELECT * FROM runs")
    assert run["status"] == course.status, grave.output()
    statuses = {row["stage_name"]: row["status"] for row in grave.rows("SELECT * FROM stages")}
    undone = "rolled_back" if was_rolled_back else "succeeded"
    assert statuses == {
        "build": "succeeded", "deploy": undone, "warm": undone, "lint": "failed",
        "flaky": "succeeded", "ship": undone, "never": "skipped",
        "smoke": "failed" if course.smoke == "fail" else "succeeded",
    }  # fmt: skip
    rollbacks = [row["status"] for row in grave.rows("SELECT * FROM rollback_events")]
    assert rollbacks == (["succeeded"] if was_rolled_back else [])
    if was_rolled_back:
        order = [e[0] for e in grave.effects() if e[1].startswith("undo") and e[3] == "done"]
        assert list(dict.fromkeys(order)) == list(UNDONE)


def forgotten(grave: Grave) -> list[str]:
    """Stages whose last attempt put something out that is not recorded."""
    recorded = {
        row["stage_name"]: row["value"]
        for row in grave.rows("SELECT * FROM outputs WHERE key = 'v'")
    }
    rows = grave.rows("SELECT * FROM stages WHERE attempt > 0")
    attempts = {row["stage_name"]: str(row["attempt"]) for row in rows}
    return [f"what {stage} put out" for stage in attempts if attempts[stage] != recorded.get(stage)]


def recovery_s(grave: Grave) -> list[float]:
    """Seconds from the beginning of each `resume` until work goes on."""
    found: list[float] = []
    begun: float | None = None
    for line in grave.journal():
        at, text = line.split(" ", 1)
        if text == "begin resume":
            begun = float(at)
        elif begun is not None and text.startswith(GOES_ON):
            found.append(float(at) - begun)
            begun = None
    return found


Blow = Mapping[str, Any]
"""What befalls a process: fields of its Job."""


def killed_at(points: Iterable[str]) -> list[Blow]:
    """Processes that die at these points, one after the other."""
    return [{"point": point} for point in points]


def survive(nursery: Nursery, home: Path, course: Course, blows: Sequence[Blow]) -> Grave:
    """Take a course, a process for each of the blows and a last one, and check it all."""
    course.write(home)
    grave = Grave(home)
    before = 0
    for blow in (*blows, {}):
        before = len(grave.noted("exit"))
        commands = _due(grave, course)
        status = nursery.bear(Job(home=str(home), commands=commands, **blow))
        grave.make_room()
        assert status in {KILLED, 0}, grave.output()
        if blow and grave.has_run():
            assert lost(grave) == 0
            check_truth(grave)
    no_room = any(NO_ROOM in run["reason"] for run in grave.rows("SELECT reason FROM runs"))
    ends = {"0", "1", "4"} if no_room else {"0", "1"}
    assert {what.partition(" ")[0] for what in grave.noted("exit")[before:]} <= ends
    assert nursery.bear(Job(home=str(home), commands=(DOCTOR,))) == 0
    assert grave.noted("exit")[-1] == "0 doctor", grave.output()
    check_end(grave, course)
    assert (lost(grave), doubled(grave), missing(grave), forgotten(grave)) == (0, [], [], [])
    assert any("lies" in blow for blow in blows) or repeated(grave) == []
    grave.bury()
    return grave


@contextmanager
def suffered(nursery: Nursery, home: Path, course: Course, blow: Blow) -> Iterator[Grave]:
    """What a course leaves that was taken in one process, and that nobody helped."""
    course.write(home)
    grave = Grave(home)
    assert nursery.bear(Job(home=str(home), commands=course.commands, **blow)) == 0
    try:
        yield grave
    finally:
        grave.make_room()
        grave.bury()


def damage(grave: Grave, course: Course) -> list[str]:
    """What is not as if nothing had befallen it; a run that was refused has left nothing."""
    if not grave.has_run():
        return [f"{effect} without a run" for effect in grave.effects()]
    (run,) = grave.rows("SELECT status FROM runs")
    ended = [] if run["status"] == course.status else [f"it is {run['status']}"]
    gone = [f"{count} lost"] if (count := lost(grave)) else []
    return [*ended, *gone, *repeated(grave), *missing(grave), *forgotten(grave)]


def _due(grave: Grave, course: Course) -> tuple[tuple[str, ...], ...]:
    """What an operator does now: begin, or go on with what was interrupted."""
    if not grave.has_run():
        assert grave.effects() == []
        return course.commands
    return (RESUME,) if _is_unfinished(grave) else ()


def _is_unfinished(grave: Grave) -> bool:
    history = History(grave.path)
    unfinished = history.run(1).status not in ENDED_RUNS or any(
        not event.completed_at for event in history.rollbacks(1)
    )
    history.close()
    return unfinished
