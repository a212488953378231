"""Commands of the product in processes that die at a named point.

`python -m tests.torture.mortal` reads one Job a line, as JSON, and answers each with the status
that its process ended with. Every job is a fork of this process, which has loaded everything, and
works like a process of its own: its commands one after the other, through the command line.
What happens is noted in the file `journal` of the job's folder, a line each.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from orchestrate_tui import cli
from orchestrate_tui.agents import process
from orchestrate_tui.agents.contract import Launcher, Outcome, Process, Program, Work
from orchestrate_tui.cli import doctor, history, rollbacks, running
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.commands import CommandKind, insert_command
from orchestrate_tui.store.connection import ImmediateConnection, connect_reader
from orchestrate_tui.store.database import StoreFiles, open_database
from orchestrate_tui.store.recovery import mark_interrupted
from orchestrate_tui.store.trouble import trouble_at
from tests.executor.scenery import hosts_in
from tests.small_disk import fill
from tests.torture.protections import WITHOUT
from tests.wall_clock import WallClock

LOADED = (doctor, history, rollbacks, running)
DATABASE = "store.db"
CANNOT, FAULTY = 2, 70
KEPT = ".before"
LONGEST_FULL_S, FULL_AFTER_WORD_S = 0.5, 0.05
CLOCK = "clock"
HOME = "TORTURE_HOME"
"""The environment variable that all processes of a job have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Commands to carry out in the folder `home`, up to the point at which the process dies.

    `point` "" is never reached. With `lies` the process lives on, and the commit before or after
    which the point is seems to fail. With `is_late` the database is set back to what it was before
    the last commit, as if the process had acted before that commit was safe. `with_host_after_s`
    is how long after the point it dies together with the stage hosts; None means at the point,
    without them. `without` names a protection that is off, of WITHOUT. `decisions` is what as many
    operators say at once of each rollback that waits. At the points of `full` the disk under the
    folder `disk` of `home` is filled up; there is room again soon after the process has said that
    it waits for some, or after a while. `jumps` says at which points the clock of days is set, and
    by how many seconds; those that come later in this home go by it too. Nobody approves anything
    unless it `approves`.
    """

    home: str
    commands: tuple[tuple[str, ...], ...]
    point: str = ""
    lies: bool = False
    is_late: bool = False
    with_host_after_s: float | None = None
    without: str = ""
    decisions: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    disk: str = ""
    jumps: dict[str, float] = field(default_factory=dict)
    approves: bool = True

    def text(self) -> str:
        return json.dumps(asdict(self))


def disk_error() -> sqlite3.OperationalError:
    """What SQLite says when the disk does not do as it is told."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = (
        sqlite3.SQLITE_IOERR_FSYNC,
        "SQLITE_IOERR_FSYNC",
    )
    return error


class Journal:
    """Notes what happens, and ends the process at its point."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._has_come = False
        self._blown = set[str]()
        self._home = Path(job.home)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._home / "journal", flags, 0o600)

    def note(self, text: str) -> None:
        os.write(self._file, f"{time.monotonic():.6f} {text}\n".encode())

    def come_to(self, *points: str) -> None:
        for point in points:
            self.note(f"point {point}")
            if point in self._job.full and point not in self._blown:
                self._blown.add(point)
                self.note(f"full {point}")
                self._fill_for_a_while()
            if point in self._job.jumps and point not in self._blown:
                self._blown.add(point)
                self._set_clock(self._job.jumps[point])
        if self._job.point in points and not self._has_come:
            self._has_come = True  # a commit is tried again
            self.note(f"killed {self._job.point}")
            if self._job.lies:
                raise disk_error()
            if self._job.is_late:
                self._set_back()
            if (after_s := self._job.with_host_after_s) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                threading.Timer(after_s, self._die_with_hosts).start()

    def _set_clock(self, seconds: float) -> None:
        """Set the clock of days, and have somebody look at once who has died.

        Noted is who lives: what an earlier job has left may be found before it is resumed.
        """
        WallClock(self._home / CLOCK, replace=_keep).jump(seconds)
        self.note(f"jumped {seconds}")

        def look() -> None:
            with open_database(self._home / DATABASE) as database:
                for run_id in mark_interrupted(database, utc_now()):
                    if owner_of(self._home / DATABASE, run_id) == os.getpid():
                        self.note(f"dead {run_id}")

        if (self._home / DATABASE).exists():
            threading.Thread(target=look).start()

    def _fill_for_a_while(self) -> None:
        """Take all the room there is on the disk, and give it back."""
        filler, files = fill(self._home / self._job.disk), StoreFiles(self._home / DATABASE)

        def give_back() -> None:
            until = time.monotonic() + LONGEST_FULL_S
            while time.monotonic() < until and not trouble_at(files):
                time.sleep(0.002)
            if trouble_at(files):
                self.note("waited for room")
            time.sleep(FULL_AFTER_WORD_S)
            filler.unlink(missing_ok=True)

        threading.Thread(target=give_back).start()

    def _die_with_hosts(self) -> None:
        for host in hosts_in(self._home / f"{DATABASE}.hosts"):
            os.kill(host, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def keep_copy(self) -> None:
        """Keep what the database, and what is written beside it, are before a commit."""
        if self._job.is_late:
            for file in self._home.glob(f"{DATABASE}*"):
                if file.is_file() and not file.name.endswith(("-shm", "lock", KEPT)):
                    shutil.copyfile(file, f"{file}{KEPT}")

    def _set_back(self) -> None:
        for copy in self._home.glob(f"*{KEPT}"):
            copy.rename(str(copy).removesuffix(KEPT))
        (self._home / f"{DATABASE}-shm").unlink(missing_ok=True)


def owner_of(path: Path, run_id: int) -> int:
    """The process that has, or had, a run."""
    reader = connect_reader(path)
    query = "SELECT pid FROM runs JOIN owners USING (epoch) WHERE runs.id = ?"
    (pid,) = reader.execute(query, (run_id,)).fetchone()
    reader.close()
    return int(pid)


def _keep(*_: object) -> None:
    """Leave things as they are."""


def watch_commits(journal: Journal, committed: threading.Event) -> None:
    """Come to a point before and after each commit; it is named after what is in it."""
    execute = ImmediateConnection.execute
    before: dict[int, Lasts] = {}
    names: dict[int, tuple[str, ...]] = {}

    def watched(connection: Any, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            names[id(connection)] = tuple(changes(connection, before[id(connection)]))
            journal.keep_copy()
            journal.come_to(*(f"before {name}" for name in names[id(connection)]))
        cursor = execute(connection, sql, parameters)
        if sql == "BEGIN":
            before[id(connection)] = lasts(connection)
        if sql == "COMMIT":
            events = lasts(connection).get("events", 0)
            journal.note(f"acknowledged {events}")
            try:
                journal.come_to(*(f"after {name}" for name in names[id(connection)]))
            finally:  # also when it seems to have failed: nothing else may follow it
                if events:
                    committed.set()
        return cursor

    ImmediateConnection.execute = watched  # type: ignore[method-assign]


TABLES = {"events": "id", "commands": "id", "owners": "epoch", "sqlite_master": "rowid"}
Lasts = Mapping[str, int]


def lasts(connection: sqlite3.Connection) -> Lasts:
    """The newest row of each table that tells something; 0 where there is none."""
    known = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
    return {
        table: connection.execute(f"SELECT coalesce(max({key}), 0) FROM {table}").fetchone()[0]
        for table, key in TABLES.items()
        if table in known or table == "sqlite_master"
    }


def changes(connection: sqlite3.Connection, before: Lasts) -> Iterator[str]:
    """What the present transaction has changed, in words."""
    now = lasts(connection)
    if now["sqlite_master"] > before["sqlite_master"]:
        yield f"a schema of {now['sqlite_master']} parts"
    elif "owners" in now:
        yield from (event_name(row) for row in new_events(connection, before["events"]))
        yield from ("a command" for _ in range(before["commands"], now["commands"]))
        yield from ("an executor" for _ in range(before["owners"], now["owners"]))


def new_events(connection: sqlite3.Connection, after: int) -> list[sqlite3.Row]:
    query = "SELECT * FROM events WHERE id > ? ORDER BY id"
    return connection.execute(query, (after,)).fetchall()


def event_name(row: sqlite3.Row) -> str:
    words = (row["kind"], row["stage_name"], row["from_status"], row["to_status"])
    attempt = f" {row['attempt']}" if row["attempt"] else ""
    return " ".join(filter(None, words)) + attempt


def watch_processes(journal: Journal) -> None:
    """Come to a point before and after each start of a process, and when it has ended."""
    supervise = process._start_and_supervise

    async def watched(work: Work, launcher: Launcher, program: Program) -> Outcome:
        what = f"undo {work.stage_name}" if work.rollback else work.stage_name
        name = f"{what} {work.attempt}"
        journal.come_to(f"to start {name}")
        outcome = await supervise(work, Watched(launcher, name, journal), program)
        journal.come_to(f"ended {name}")
        return outcome

    process._start_and_supervise = watched


class Watched:
    """A launcher after whose starts there is a point."""

    def __init__(self, launcher: Launcher, name: str, journal: Journal) -> None:
        self._launcher = launcher
        self._name = name
        self._journal = journal

    async def start(self, program: Program) -> Process:
        started = await self._launcher.start(program)
        self._journal.come_to(f"started {self._name}")
        return started

    def __getattr__(self, name: str) -> Any:
        return getattr(self._launcher, name)


def answer_all(job: Job, committed: threading.Event) -> None:
    """Approve and decide whatever waits, as another process would; looks after every commit."""
    path = Path(job.home) / DATABASE
    while committed.wait():
        committed.clear()
        reader = connect_reader(path)
        waiting = reader.execute(
            "SELECT run_id, stage_name FROM stages WHERE status = 'waiting_approval'"
            " AND run_id NOT IN (SELECT run_id FROM commands WHERE status = 'pending')"
            " AND run_id NOT IN (SELECT run_id FROM approvals)"
            " AND run_id IN (SELECT id FROM runs WHERE status = 'running')"
        ).fetchall()
        reader.close()
        try:
            for row in waiting:
                approve(path, row["run_id"], row["stage_name"])
        except StoreError:
            if not job.full:
                raise
            committed.set()  # as somebody who tries again
        if job.decisions:
            decide(path, tuple(job.decisions))


def approve(path: Path, run_id: int, stage: str) -> None:
    def ask(connection: sqlite3.Connection) -> int:
        return insert_command(
            connection, idempotency_key=uuid4().hex, run_id=run_id, kind=CommandKind.APPROVE,
            payload={"stage": stage, "comment": ""}, actor=current_user(), at=utc_now(),
        )  # fmt: skip

    with open_database(path) as database:
        database.write(ask)


def decide(path: Path, actions: tuple[str, ...]) -> None:
    """Decide about each rollback that waits, as so many operators at the same moment would."""
    reader = connect_reader(path)
    waiting = reader.execute(
        "SELECT id, run_id FROM rollback_events WHERE waiting_since IS NOT NULL"
        " AND run_id NOT IN (SELECT run_id FROM commands WHERE status = 'pending')"
    ).fetchall()
    reader.close()

    def ask(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
        for action in actions:
            key = uuid4().hex
            payload = {
                "rollback": str(row["id"]), "action": action, "stage": "", "reason": f"says {key}"
            }  # fmt: skip
            insert_command(
                connection, idempotency_key=key, run_id=row["run_id"], kind=CommandKind.STEP,
                payload=payload, actor=current_user(), at=utc_now(),
            )  # fmt: skip

    for row in waiting:
        with open_database(path) as database:
            database.write(partial(ask, row=row))


def live(job: Job) -> None:
    """Be the process of the job; returns only if it did not die."""
    os.chdir(job.home)
    os.environ[HOME] = job.home
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if job.jumps or Path(CLOCK).exists():
        WallClock(Path(CLOCK))
    journal, committed = Journal(job), threading.Event()
    watch_commits(journal, committed)
    watch_processes(journal)
    for place, name, instead in WITHOUT.get(job.without, ()):
        setattr(place, name, instead)
    if job.approves:
        threading.Thread(target=answer_all, args=(job, committed), daemon=True).start()
    for command in job.commands:
        journal.note(f"begin {command[0]}")
        code = cli.main(command)
        sys.stdout.flush()
        journal.note(f"exit {code} {command[0]}")
        if code == CANNOT:
            break


def bear(job: Job) -> int:
    """Fork the process of a job and wait for it; its exit code, or minus its signal."""
    child = os.fork()
    if not child:
        code = FAULTY
        try:
            live(job)
            code = 0
        except BaseException:  # noqa: BLE001  (nothing else says what is wrong with this file)
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    for line in os.fdopen(os.dup(0)):
        print(bear(Job(**json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
