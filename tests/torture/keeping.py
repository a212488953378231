"""Takes snapshots and puts them back, one job a line, each in a process that may be killed.

A job names what to do, where, and after how many calls to the system the process dies.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from orchestrate_tui.executor.snapshot_space import free_snapshots
from orchestrate_tui.snapshots.blobs import Blob, PackReader, PackWriter
from orchestrate_tui.snapshots.capture import Capture
from orchestrate_tui.snapshots.journal import finish_left
from orchestrate_tui.snapshots.manifest import Manifest, pack
from orchestrate_tui.snapshots.restore import Restore
from orchestrate_tui.snapshots.staging import Builder
from orchestrate_tui.store.database import Database, open_database
from orchestrate_tui.store.foreign import copy_database
from orchestrate_tui.store.snapshots import NewSnapshot, all_blobs, insert_snapshot
from orchestrate_tui.store.writer import Change
from tests.store.scenery import NOON, Store

REPOSITORY = Path(__file__).parents[2]
PATTERNS = ("tree", "conf/*.yaml", "file", "later")
NEVER = 0
"""For a job whose process is not killed."""

T = TypeVar("T")

_IGNORED = (
    "import",
    "compile",
    "exec",
    "object.",
    "sys.",
    "marshal",
    "code.",
    "builtins",
    "cpython",
)
"""What is no call to the system."""


class Record(msgspec.Struct):
    """What the database would hold: a manifest, and where the contents lie."""

    manifest: Manifest
    blobs: tuple[tuple[bytes, str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Keeper:
    """One working folder and what is kept of it."""

    home: Path

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def journals(self) -> Path:
        return self.store / "restores"

    def record(self) -> Record:
        return msgspec.msgpack.decode((self.store / "record").read_bytes(), type=Record)

    def take(self) -> None:
        packs, manifest = self._capture()
        packs.finish()
        self._note(packs, manifest)

    def take_hastily(self) -> None:
        """What a snapshot must not be: recorded before its contents are complete."""
        packs, manifest = self._capture()
        self._note(packs, manifest)
        packs.finish()

    def _capture(self) -> tuple[PackWriter, Manifest]:
        packs = PackWriter(self.store / "packs", lambda _: None)
        capture = Capture(packs=packs, copy_database=copy_database, scratch=self.store / "scratch")
        return packs, capture.take(self.work, PATTERNS)

    def _note(self, packs: PackWriter, manifest: Manifest) -> None:
        blobs = tuple((b.sha256, b.pack, b.offset, b.length, b.size) for b in packs.blobs)
        draft = self.store / "record.draft"
        draft.write_bytes(msgspec.msgpack.encode(Record(manifest, blobs)))
        draft.rename(self.store / "record")

    def packs(self) -> PackReader:
        index = {row[0]: Blob(*row) for row in self.record().blobs}
        return PackReader(self.store / "packs", index.get)

    def restore(self) -> None:
        problems = finish_left(self.journals)
        assert not problems, problems
        manifest = self.record().manifest
        Restore(manifest=manifest, packs=self.packs(), journals=self.journals).run()

    def restore_in_place(self) -> None:
        """What a restore must not be: each place is emptied and filled again where it is."""
        manifest = self.record().manifest
        builder = Builder(packs=self.packs())
        for place in manifest.places:
            target = manifest.absolute(place)
            if os.path.isdir(target) and not os.path.islink(target):
                shutil.rmtree(os.fsdecode(target))
            elif os.path.lexists(target):
                os.unlink(target)
            if place.entries:
                builder.build(place, target)

    @property
    def database(self) -> Path:
        """A database whose snapshots are to be pruned; see `stock`."""
        return self.home / "store.db"

    @property
    def stored(self) -> Path:
        return self.home / "store.db.snapshots" / "packs"

    def stock(self) -> None:
        """Keep the working folder for a run, keep it changed for another, and prune the first."""
        with open_database(self.database) as database:
            store = Store.of(database)
            self.stored.mkdir(parents=True)
            for content, patterns in ((b"first", PATTERNS), (b"second", PATTERNS[1:])):
                (self.work / "file").write_bytes(content)
                self._store(database, store.started_run(), patterns)
            store.owner.release()
            mark = "UPDATE runs SET pruned_at = '2026-05-04T12:00:00.000000Z' WHERE id = 1"
            database.write(lambda connection: connection.execute(mark))

    def _store(self, database: Database, run_id: int, patterns: tuple[str, ...]) -> None:
        rows = database.read(lambda reader: list(all_blobs(reader)))
        packs = PackWriter(self.stored, {row[0]: Blob(*row) for row in rows}.get)
        capture = Capture(packs=packs, copy_database=copy_database, scratch=self.home / "scratch")
        manifest = capture.take(self.work, patterns)
        packs.finish()
        body, digest = pack(manifest)
        new = NewSnapshot(
            run_id=run_id,
            stage_name="build",
            workdir=manifest.workdir,
            paths=(),
            entries=sum(1 for _ in manifest.entries()),
            size_bytes=manifest.size,
            manifest=body,
            sha256=digest,
            blobs=tuple((b.sha256, b.pack, b.offset, b.length, b.size) for b in packs.blobs),
        )
        database.write(lambda connection: insert_snapshot(connection, new, (), NOON))

    def prune(self) -> None:
        with open_database(self.database) as database:
            free_snapshots(database)

    def prune_hastily(self) -> None:
        """What a prune must not be: what is to go is gone before that is recorded."""
        commit, known = Database.write, set(self.stored.iterdir())

        def hasty(database: Database, change: Change[T]) -> T:
            there = set(self.stored.iterdir())
            for path in known if there - known else ():
                path.unlink(missing_ok=True)
            return commit(database, change)

        Database.write = hasty  # type: ignore[method-assign,assignment]
        self.prune()

    def finish(self) -> None:
        problems = finish_left(self.journals)
        assert not problems, problems


class Undertaker:
    """Has jobs done in processes of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.keeping"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, what: str, home: Path, dies_after: int = NEVER) -> int:
        """How many calls were made; fewer than `dies_after` when it was done before."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{what} {dies_after} {home}\n")
        self._process.stdin.flush()
        code, calls = self._process.stdout.readline().split()
        assert code in {"0", str(-signal.SIGKILL)}, f"{what} in {home} ended with {code}"
        return int(calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _do(what: str, home: Path, dies_after: int, report: int) -> None:
    calls = count(1)
    made = 0

    def note(event: str, _: object) -> None:
        nonlocal made
        if event.startswith(_IGNORED):
            return
        made = next(calls)
        if made == dies_after:
            os.write(report, str(made).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    job = getattr(Keeper(home), what)
    sys.addaudithook(note)
    job()
    os.write(report, str(made).encode())


def _serve() -> None:
    for line in sys.stdin:
        what, dies_after, home = line.rstrip("\n").split(" ", 2)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            code = 1
            try:
                _do(what, Path(home), int(dies_after), writing)
                code = 0
            finally:
                os._exit(code)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        calls = os.read(reading, 100) or b"0"
        os.close(reading)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {calls.decode()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
